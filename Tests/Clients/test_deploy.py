"""Everything in `deploy/`, each file by the tool that reads it, as far as there is one to install."""

import contextlib
import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import kubernetes_validate
import pytest
import yaml

from trinity_server import REPOSITORY, Server, free_port

DEPLOY = REPOSITORY / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
# The oldest version that a managed cluster still offers; the pause of preStop is older than it.
KUBERNETES_VERSION = "1.33"


def needs(tool):
    return pytest.mark.skipif(not shutil.which(tool), reason=f"{tool} is not installed")


def run(*command, **options):
    """A tool that must be content; what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def load(path):
    return yaml.safe_load(path.read_text())


def test_every_file_is_looked_at():
    known = {
        "Dockerfile", "Dockerfile.dockerignore", "trinity.service", "compose.yaml", "nginx.conf", "nginx-replicas.conf",
        "grafana/dashboards/trinity.json", "grafana/provisioning/dashboards/trinity.yaml",
        "grafana/provisioning/datasources/prometheus.yaml",
        "prometheus/prometheus.yml", "prometheus/alerts.yml", "prometheus/alerts.test.yml",
        "ranks/hosts", "ranks/mca-params.conf", "ranks/trinity-ranks.service", "ranks/leader-worker-set.yaml",
    }
    files = {str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*") if path.is_file()}
    assert {name for name in files if not name.startswith(("kubernetes/", "debian/", "recipes/"))} == known
    # script/package puts these into the package, which test_package.py installs.
    debian = {name.removeprefix("debian/") for name in files if name.startswith("debian/")}
    assert debian == {"control", "copyright", "lintian-overrides", "postinst", "postrm", "prerm", "server.json"}


# MARK: Ranks

def test_the_service_for_ranks_drains_them():
    lines = (DEPLOY / "ranks/trinity-ranks.service").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and line[0].isalpha())
    assert settings["KillSignal"] == "SIGUSR1" and settings["KillMode"] == "mixed"
    drain = int(re.search(r"TRINITY_SHUTDOWN_TIMEOUT=(\d+)", "\n".join(lines))[1])
    assert int(settings["TimeoutStopSec"]) >= drain + 15
    # A difference between ranks stays.
    assert settings["RestartPreventExitStatus"] == "78"


def test_the_service_for_ranks_passes_every_option_on():
    text = (DEPLOY / "ranks/trinity-ranks.service").read_text().replace("\\\n", " ")
    command = re.search(r"^ExecStart=/bin/sh -c '(.*)'$", text, re.MULTILINE)[1]
    # What systemd does with it.
    command = command.replace("$$", "$").replace("\\\\", "\\").replace("/usr/bin/mpirun", "echo")
    environment = {"PATH": os.environ["PATH"], "TRINITY_MODEL": "/a b", "TRINITY_COMPUTE": "exact", "OTHER_TRINITY_X": "1"}
    words = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=20, check=True).stdout.split()
    assert sorted(words[index + 1] for index, word in enumerate(words) if word == "-x") == ["TRINITY_COMPUTE", "TRINITY_MODEL"]
    assert words[-2:] == ["/usr/local/bin/trinity", "serve"]


@needs("systemd-analyze")
def test_systemd_takes_the_unit_for_ranks():
    assert run("systemd-analyze", "verify", "--man=no", DEPLOY / "ranks/trinity-ranks.service").strip() == ""


def test_the_leader_of_pods_waits_for_the_workers_only(tmp_path):
    group = list(yaml.safe_load_all((DEPLOY / "ranks/leader-worker-set.yaml").read_text()))[0]
    (leading,) = group["spec"]["leaderWorkerTemplate"]["leaderTemplate"]["spec"]["containers"]
    (script,) = leading["args"]
    # No sshd runs on the leader. Without -n, ssh reads what the script reads.
    stubs = {
        "ssh": '#!/bin/sh\ncase "$*" in "-n "*" a-0-"[12]".a.default true") echo x >>"$LOG" ;; *) exit 1 ;; esac\n',
        "mpirun": '#!/bin/sh\necho "$@"\n', "sleep": "#!/bin/sh\nexec /bin/sleep 0.1\n"}
    for name, text in stubs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "LWS_LEADER_ADDRESS": "a-0.a.default", "LWS_GROUP_SIZE": "3",
        "OMPI_MCA_plm_rsh_args": "-i key", "LOG": str(tmp_path / "log")}
    done = subprocess.run(
        [*leading["command"], script.replace("/tmp/hosts", str(tmp_path / "hosts"))], env=environment, capture_output=True,
        text=True, timeout=20, check=True)
    assert done.stdout.strip().endswith("trinity serve")
    assert (tmp_path / "hosts").read_text().split("\n") == [
        "a-0.a.default slots=1", "a-0-1.a.default slots=1", "a-0-2.a.default slots=1", ""]
    assert (tmp_path / "log").read_text() == "x\nx\n"


def test_probes_wait_until_the_workers_have_come():
    group = list(yaml.safe_load_all((DEPLOY / "ranks/leader-worker-set.yaml").read_text()))[0]
    (leading,) = group["spec"]["leaderWorkerTemplate"]["leaderTemplate"]["spec"]["containers"]
    startup = leading["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 600


def test_the_pods_of_ranks_have_the_same_options_and_only_the_leader_serves():
    documents = list(yaml.safe_load_all((DEPLOY / "ranks/leader-worker-set.yaml").read_text()))
    group, service, policy = documents
    template = group["spec"]["leaderWorkerTemplate"]
    leader, worker = template["leaderTemplate"], template["workerTemplate"]
    assert template["size"] > 1 and template["restartPolicy"] == "RecreateGroupOnPodRestart"
    (leading,), (working,) = leader["spec"]["containers"], worker["spec"]["containers"]
    for key in ("image", "env", "resources", "volumeMounts"):
        assert leading[key] == working[key], key
    labels = service["spec"]["selector"]
    assert labels == leader["metadata"]["labels"] != worker["metadata"]["labels"]
    assert service["spec"]["ports"][0]["targetPort"] == leading["ports"][0]["name"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= worker["metadata"]["labels"].items()
    # What mpirun passes on is what the pods have.
    given = {entry["name"] for entry in leading["env"] if entry["name"].startswith("TRINITY_")}
    assert set(re.findall(r"-x (\w+)", leading["args"][0])) == given


def test_the_hosts_and_parameters_for_ranks_are_read_by_mpirun():
    hosts = [line for line in (DEPLOY / "ranks/hosts").read_text().splitlines() if line and line[0] != "#"]
    assert len(hosts) > 1 and all(re.fullmatch(r"\S+ slots=1", line) for line in hosts)
    parameters = [
        line for line in (DEPLOY / "ranks/mca-params.conf").read_text().splitlines() if line and line[0] != "#"]
    assert all(re.fullmatch(r"[a-z0-9_]+ = \S+", line) for line in parameters)
    if shutil.which("ompi_info"):
        known = set(re.findall(r'parameter "(\w+)"', run("ompi_info", "--all", "--level", "9")))
        assert {line.split()[0] for line in parameters} <= known


# MARK: Prometheus and Grafana

@needs("promtool")
def test_prometheus_reads_its_configuration_and_the_alerts_fire_when_they_should():
    run("promtool", "check", "config", DEPLOY / "prometheus/prometheus.yml")
    run("promtool", "test", "rules", DEPLOY / "prometheus/alerts.test.yml")


def dashboard_expressions():
    dashboard = json.loads((DEPLOY / "grafana/dashboards/trinity.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


def alert_expressions():
    groups = load(DEPLOY / "prometheus/alerts.yml")["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


@needs("promtool")
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path):
    plain = [re.sub(r"\$(model|instance)", "a", expression) for expression in dashboard_expressions()]
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(plain)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run("promtool", "check", "rules", file)


def test_queries_ask_for_metrics_that_there_are():
    # A reply, so that every histogram is there; a key and a limit, so that their metrics are.
    with Server("--api-key", "secret", "--requests-per-minute", 100) as server:
        headers = {"Authorization": "Bearer secret"}
        assert server.request("POST", "/v1/completions", {"prompt": "a", "max_tokens": 2}, headers).status == 200
        text = server.get("/metrics").body.decode()
        there = set(re.findall(r"^([\w:]+)[{ ]", text, re.MULTILINE))
        labels = {
            name: set(re.findall(r'(\w+)="', line)) for line in text.splitlines()
            if line[0] != "#" for name in [re.match(r"[\w:]+", line)[0]]}
    # Measured in release builds only, which takes them a moment at start.
    measured = {"trinity_memory_bandwidth_ratio", "trinity_memory_bandwidth_bytes_per_second"}
    # Prometheus adds these itself.
    given = {"instance", "job", "le"}
    asked = 0
    for expression in dashboard_expressions() + alert_expressions():
        # Only a server of several ranks has these: Ranks/test_ranks.py looks at them.
        if "trinity_rank_" in expression:
            continue
        for name, matchers in re.findall(r"((?:vllm:|trinity_|process_|http_)\w+)\{([^}]*)\}", expression):
            if name in measured:
                continue
            assert name in there, expression
            assert set(re.findall(r"(\w+)\s*=", matchers)) <= labels[name] | given, expression
            asked += 1
        names = re.findall(r"(?:vllm:|trinity_|process_|http_)\w+", expression)
        for grouping in re.findall(r"by \(([^)]*)\)", expression):
            assert set(grouping.split(", ")) <= set.union(*(labels[name] for name in names)) | given, expression
    assert asked > 60


def test_the_dashboard_shows_each_panel_in_a_place_of_its_own():
    panels = json.loads((DEPLOY / "grafana/dashboards/trinity.json").read_text())["panels"]
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_grafana_is_given_what_compose_mounts():
    compose = load(DEPLOY / "compose.yaml")
    services = compose["services"]
    for service in services.values():
        for volume in service["volumes"]:
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).is_dir(), volume
    mounts = {volume.split(":")[1] for volume in services["grafana"]["volumes"]}
    provider = load(DEPLOY / "grafana/provisioning/dashboards/trinity.yaml")["providers"][0]
    assert provider["options"]["path"] in mounts and "/etc/grafana/provisioning" in mounts
    source = load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"][0]
    assert source["url"] == "http://prometheus:9090" and "prometheus" in services
    target = load(DEPLOY / "prometheus/prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"][0]
    assert target == "trinity:8000" and "trinity" in services
    assert (DEPLOY / services["trinity"]["build"]["context"] / services["trinity"]["build"]["dockerfile"]).is_file()


def test_the_health_check_of_compose_tells_ready_from_not():
    command = load(DEPLOY / "compose.yaml")["services"]["trinity"]["healthcheck"]["test"]
    assert command[0] == "CMD"
    with Server() as server:
        check = [part.replace("/8000", f"/{server.port}") for part in command[1:]]
        assert subprocess.run(check, timeout=20).returncode == 0
    assert subprocess.run(check, timeout=20, stderr=subprocess.DEVNULL).returncode != 0


def options_of(environment):
    return {
        name.removeprefix("TRINITY_").lower().replace("_", "-") for name in environment if not name.startswith("HF_")}


def test_variables_that_are_set_are_options_of_the_server():
    listing = run(REPOSITORY / ".build/debug/trinity", "serve", "--help")
    container = load(KUBERNETES / "base/deployment.yaml")["spec"]["template"]["spec"]["containers"][0]
    patches = [
        entry for folder in ("checkpoint", "hub")
        for entry in load(KUBERNETES / folder / "model.yaml")["spec"]["template"]["spec"]["containers"][0]["env"]]
    set_here = options_of(load(DEPLOY / "compose.yaml")["services"]["trinity"]["environment"])
    set_here |= options_of(entry["name"] for entry in container["env"] + patches)
    set_here |= options_of(re.findall(r"TRINITY_[A-Z_]+(?==)", (DEPLOY / "Dockerfile").read_text()))
    set_here |= options_of(re.findall(r"TRINITY_[A-Z_]+(?==)", (DEPLOY / "trinity.service").read_text()))
    assert len(set_here) > 6
    assert set_here <= set(re.findall(r"--([a-z-]+)", listing))


# MARK: systemd

@needs("systemd-analyze")
def test_systemd_takes_the_unit_and_finds_it_well_shut(tmp_path):
    # It looks for the program too.
    unit = tmp_path / "trinity.service"
    unit.write_text((DEPLOY / "trinity.service").read_text().replace("/usr/local/bin/trinity", "/bin/true"))
    assert run("systemd-analyze", "verify", "--man=no", unit).strip() == ""
    # 10 would be open: 2 in its scale is a fifth of what a service may be exposed to.
    run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)


# MARK: Kubernetes

def merge(target, patch):
    """A strategic merge patch as far as ours go: lists of named things are merged by name."""
    if isinstance(target, dict) and isinstance(patch, dict):
        return target | {key: merge(target.get(key), value) for key, value in patch.items()}
    if isinstance(target, list) and isinstance(patch, list) and all("name" in entry for entry in target + patch):
        byname = {entry["name"]: entry for entry in target}
        for entry in patch:
            byname[entry["name"]] = merge(byname.get(entry["name"]), entry)
        return list(byname.values())
    return copy.deepcopy(patch)


def build(folder):
    """What `kustomize build` makes of a folder, as far as ours use it; anything else in its file fails."""
    kustomization = load(folder / "kustomization.yaml")
    assert kustomization["kind"] == "Kustomization"
    assert kustomization.keys() <= {"apiVersion", "kind", "resources", "patches", "images"}
    resources = []
    for name in kustomization["resources"]:
        path = (folder / name).resolve()
        # kustomize takes no base that holds the folder itself.
        assert path not in (folder, *folder.parents)
        resources += build(path) if path.is_dir() else [load(path)]
    for entry in kustomization.get("patches", []):
        patch = load(folder / entry["path"])
        name = lambda resource: (resource["apiVersion"], resource["kind"], resource["metadata"]["name"])
        matching = [index for index, resource in enumerate(resources) if name(resource) == name(patch)]
        assert len(matching) == 1
        resources[matching[0]] = merge(resources[matching[0]], patch)
    return resources


@pytest.mark.parametrize("folder", ["base", "checkpoint", "hub", "gateway"])
def test_kubernetes_knows_every_field(folder):
    resources = build(KUBERNETES / folder)
    for resource in resources:
        # Definitions that the cluster gets from elsewhere have no schema here.
        if resource["apiVersion"].split("/")[0] in ("inference.networking.k8s.io", "gateway.networking.k8s.io"):
            continue
        kubernetes_validate.validate(resource, KUBERNETES_VERSION, strict=True)


def test_kubernetes_parts_fit_together():
    resources = {resource["kind"]: resource for resource in build(KUBERNETES / "gateway")}
    pod = resources["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    for selector in (
        resources["Deployment"]["spec"]["selector"]["matchLabels"], resources["Service"]["spec"]["selector"],
        resources["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        resources["InferencePool"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= pod["metadata"]["labels"].items()
    assert resources["Service"]["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    assert resources["InferencePool"]["spec"]["targetPorts"][0]["number"] == container["ports"][0]["containerPort"]
    # A pod's end: the pause, then the drain, and time left.
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause + int(environment["TRINITY_SHUTDOWN_TIMEOUT"]) < pod["spec"]["terminationGracePeriodSeconds"]
    # What the autoscaler asks for is what the adapter's rule calls it.
    asked = resources["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    rule = load(KUBERNETES / "prometheus-adapter.yaml")["rules"]["custom"][0]
    assert rule["name"]["as"] == asked and "vllm:num_requests_waiting" in rule["metricsQuery"]


# MARK: nginx

@contextlib.contextmanager
def nginx(folder, server_port):
    """nginx with our site in front of a server; its port."""
    port = free_port()
    site = (DEPLOY / "nginx.conf").read_text()
    site = site.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("127.0.0.1:8000", f"127.0.0.1:{server_port}")
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid; error_log {folder}/error.log; events {{}} "
        f"http {{ access_log off; {paths} include {folder}/site.conf; }}")
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    run(*command, "-t")
    process = subprocess.Popen([*command, "-g", "daemon off; master_process off;"])
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


@needs("nginx")
def test_streams_flow_through_nginx_and_a_client_that_leaves_ends_its_request(tmp_path):
    with Server() as server, nginx(tmp_path, server.port) as port:
        proxy = copy.copy(server)
        proxy.port = port
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(ConnectionError):
                if proxy.get("/ready").status == 200:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        body = {"prompt": "Once", "max_tokens": 2000, "ignore_eos": True, "stream": True, "temperature": 0}
        with contextlib.closing(proxy.connection()) as connection:
            connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert response.status == 200
            # It runs still when its first event is here: nothing was kept back.
            assert response.readline().startswith(b"data:")
            assert server.metric("vllm:num_requests_running") == 1
            connection.sock.close()
            response.close()
        deadline = time.monotonic() + 10
        while server.metric("vllm:num_requests_running"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert server.samples()[("vllm:request_success_total", (("finished_reason", "abort"),))] == 1

        whole = proxy.post("/v1/completions", body | {"stream": False, "max_tokens": 8})
        assert whole.json == whole.json | {"choices": server.post("/v1/completions", body | {"stream": False, "max_tokens": 8}).json["choices"]}
        assert proxy.request("POST", "/v1/completions", b" " * (32 * 1024 * 1024 + 1)).status == 413
