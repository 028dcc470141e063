import Foundation

/// The system's statistics of this process, under the names of Prometheus's client libraries.
struct ProcessStatistics {
    var residentBytes = 0.0
    var virtualBytes = 0.0
    var cpuSeconds = 0.0
    var openDescriptors = 0.0
    var maxDescriptors = 0.0
    /// Unix time.
    var startSeconds = Self.start

    /// Reads /proc, some 50 us.
    static func now() -> ProcessStatistics {
        var statistics = ProcessStatistics()
        if let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ") {
            let size = Double(sysconf(Int32(_SC_PAGESIZE)))
            statistics.virtualBytes = (pages.first.flatMap { Double($0) } ?? 0) * size
            statistics.residentBytes = (pages.dropFirst().first.flatMap { Double($0) } ?? 0) * size
        }
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        statistics.cpuSeconds = [usage.ru_utime, usage.ru_stime].reduce(0) {
            $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
        }
        statistics.openDescriptors = Double(openDescriptors())
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        statistics.maxDescriptors = Double(limit.rlim_cur)
        return statistics
    }

    /// The folder's size on Linux 6.2 and later; on earlier systems the number of its entries.
    private static func openDescriptors() -> Int {
        let folder = "/proc/self/fd"
        var status = stat()
        if stat(folder, &status) == 0, status.st_size > 0 { return Int(status.st_size) }
        return (try? FileManager.default.contentsOfDirectory(atPath: folder))?.count ?? 0
    }

    func write(to text: inout PrometheusText) {
        text.gauge("process_resident_memory_bytes", "Resident memory in bytes.", residentBytes)
        text.gauge("process_virtual_memory_bytes", "Virtual memory in bytes.", virtualBytes)
        text.counter("process_cpu_seconds_total", "User and system CPU time in seconds.", [([], cpuSeconds)])
        text.gauge("process_open_fds", "Number of open file descriptors.", openDescriptors)
        text.gauge("process_max_fds", "Maximum number of open file descriptors.", maxDescriptors)
        text.gauge("process_start_time_seconds", "Unix time at which the process started.", startSeconds)
    }

    private static let start = Date().timeIntervalSince1970 - uptime()

    /// How long the process had been running when this is first called.
    private static func uptime() -> Double {
        guard let uptime = (try? String(contentsOfFile: "/proc/uptime", encoding: .utf8))?.split(separator: " ").first,
            let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            // The command's name, in parentheses, may contain spaces.
            let fields = stat.split(separator: ")").last?.split(separator: " "), fields.count > 19,
            let now = Double(uptime), let start = Double(fields[19])
        else { return 0 }
        return now - start / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
