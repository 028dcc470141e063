import Checkpoints

extension StoredTensor {
    /// The elements, exactly; `nil` for FP8 and for integers of 64 bits without a sign.
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

    /// The elements of a floating point type of at most 32 bits as float32, exactly; `nil` for other types and if one is not
    /// finite.
    var finiteFloats: [Float]? {
        guard Self.floatTypes.contains(type), let numbers,
            numbers.allSatisfy(\.isFinite)
        else { return nil }
        return numbers.map { Float($0) }
    }
}
