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

    /// Returns the current statistics from the kernel, in about 5 us.
    static func now() -> ProcessStatistics {
        var statistics = ProcessStatistics()
        let size = Double(sysconf(Int32(_SC_PAGESIZE)))
        let pages = pages()
        (statistics.virtualBytes, statistics.residentBytes) = (Double(pages.all) * size, Double(pages.resident) * size)
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

    /// Returns the first two numbers of /proc/self/statm; zeros if it cannot be read.
    private static func pages() -> (all: Int, resident: Int) {
        let file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return (0, 0) }
        defer { close(file) }
        return withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
            let count = max(0, read(file, buffer.baseAddress, buffer.count))
            var numbers = [0, 0]
            var place = 0
            for byte in buffer[..<count] {
                if byte == UInt8(ascii: " ") { place += 1 }
                guard place < numbers.count else { break }
                if byte != UInt8(ascii: " ") { numbers[place] = numbers[place] * 10 + Int(byte & 15) }
            }
            return (numbers[0], numbers[1])
        }
    }

    /// Returns the number of open descriptors: the size of the folder on Linux 6.2 and later, otherwise the number of its entries.
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

    /// Returns the time that the process has been running, in seconds.
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
