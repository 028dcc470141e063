import Basics
import Foundation

/// A file that is mapped read-only into memory as long as this object lives.
public final class MappedFile {
    public let bytes: UnsafeRawBufferPointer

    /// - Throws: `CheckpointError.unreadable`.
    public init(_ url: URL) throws(CheckpointError) {
        let (descriptor, count): (Int32, Int)
        do throws(RegularFile.Failure) {
            (descriptor, count) = try RegularFile.open(url.path)
        } catch {
            throw .unreadable(file: url.path, reason: error.description)
        }
        defer { close(descriptor) }
        // The system refuses an empty mapping.
        guard count > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw .unreadable(file: url.path, reason: String(cString: strerror(errno)))
        }
        bytes = UnsafeRawBufferPointer(start: address, count: count)
    }

    /// Releases the pages of `range`, a part of `bytes`, from this process's memory; they are loaded again on the next read.
    func release(_ range: UnsafeRawBufferPointer) {
        guard let start = range.baseAddress, let base = bytes.baseAddress, !range.isEmpty else { return }
        // The range is extended to all that the system may have mapped with its pages: 64 KB, or with newer kernels a whole folio
        // of the page cache, within a page table of 2 MB. Releasing a neighbor's pages costs other page faults, but the remainders
        // of many small tensors would add up to a tenth of the file.
        let unit = 2 << 20
        let offset = Int(bitPattern: base) % unit
        let first = max((start - base + offset) / unit * unit - offset, 0)
        let end = min((start - base + range.count + offset + unit - 1) / unit * unit - offset, bytes.count)
        madvise(UnsafeMutableRawPointer(mutating: base + first), end - first, MADV_DONTNEED)
    }

    deinit {
        if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
    }
}
