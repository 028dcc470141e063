import Engine

extension Metrics {
    /// Writes the metrics of the ranks, if the model is divided among several.
    func writeRanks(_ snapshot: Snapshot, to text: inout PrometheusText) {
        guard let model = snapshot.model, !model.ranks.isEmpty else { return }
        text.gauge("trinity_ranks", "Number of ranks among which the model is divided.", Double(model.ranks.count))
        text.gauge(
            "trinity_rank_info", "Host, layers and kernels of each rank.",
            model.ranks.enumerated().map { rank, description in
                (
                    [
                        ("rank", String(rank)), ("host", description.host), ("layers", "\(description.layers)"),
                        ("kernels", model.kernels),
                    ], 1
                )
            })
        text.gauge(
            "trinity_batches_in_flight", "Number of batches that the ranks compute at once, at most.",
            Double(snapshot.statistics.batchesInFlight))
        let ranks = snapshot.statistics.ranks.enumerated()
        text.counter(
            "trinity_rank_compute_seconds_total", "Time that each rank has spent in its layers.",
            ranks.map { ([("rank", String($0))], $1.compute / .seconds(1)) })
        text.counter(
            "trinity_rank_wait_seconds_total", "Time that each rank has waited for other ranks.",
            ranks.map { ([("rank", String($0))], $1.wait / .seconds(1)) })
    }
}
