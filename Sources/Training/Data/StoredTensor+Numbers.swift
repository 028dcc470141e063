import Checkpoints

extension StoredTensor {
    /// The exact values of the elements, or `nil` for FP8 and unsigned 64-bit integers.
    var numbers: [Double]? {
        func read<Element: BitwiseCopyable>(_ type: Element.Type, _ convert: (Element) -> Double) -> [Double] {
            let size = MemoryLayout<Element>.size
            return (0..<bytes.count / size).map {
                convert(bytes.loadUnaligned(fromByteOffset: $0 * size, as: Element.self))
            }
        }
        return switch type {
        case .uint8, .bool: read(UInt8.self) { Double($0) }
        case .int8: read(Int8.self) { Double($0) }
        case .uint16: read(UInt16.self) { Double($0) }
        case .int16: read(Int16.self) { Double($0) }
        case .uint32: read(UInt32.self) { Double($0) }
        case .int32: read(Int32.self) { Double($0) }
        case .int64: read(Int64.self) { Double($0) }
        case .bfloat16: read(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
        case .float16: read(UInt16.self) { Double(Float16(bitPattern: $0)) }
        case .float32: read(Float.self) { Double($0) }
        case .float64: read(Double.self) { $0 }
        case .float8E4M3, .float8E5M2, .float8E8M0, .uint64: nil
        }
    }

    /// The types of weights that can be trained.
    static let floatTypes: Set<TensorType> = [.float32, .bfloat16, .float16]

    /// Returns what is wrong with the named tensor, or `nil` if it has the shape and a trainable type.
    static func problem(_ name: String, _ shape: [Int], in tensors: [String: StoredTensor]) -> String? {
        guard let tensor = tensors[name] else { return "missing: \(name) \(shape)" }
        guard tensor.shape != shape || !floatTypes.contains(tensor.type) else { return nil }
        return "\(name): \(tensor.type.rawValue) \(tensor.shape), expected F32, BF16 or F16 \(shape)"
    }

    /// Copies elements of a type in ``floatTypes`` as float32, exactly.
    ///
    /// - Precondition: `target` has room for all elements.
    /// - Returns: false if an element is not finite. Copying stops at the first such element.
    func copyFiniteFloats(to target: UnsafeMutablePointer<Float>) -> Bool {
        func copy<Element: BitwiseCopyable>(_ type: Element.Type, _ convert: (Element) -> Float) -> Bool {
            let size = MemoryLayout<Element>.size
            for index in 0..<bytes.count / size {
                let value = convert(bytes.loadUnaligned(fromByteOffset: index * size, as: Element.self))
                guard value.isFinite else { return false }
                target[index] = value
            }
            return true
        }
        switch type {
        case .float32: return copy(Float.self) { $0 }
        case .bfloat16: return copy(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
        case .float16: return copy(UInt16.self) { Float(Float16(bitPattern: $0)) }
        default: preconditionFailure("the type is one of weights")
        }
    }
}
