import Testing

@testable import Engine

@Suite struct ArrivalForecastTests {
    private static func forecast(_ waits: Duration...) -> ArrivalForecast {
        var forecast = ArrivalForecast()
        for wait in waits { forecast.observe(wait) }
        return forecast
    }

    @Test func `a rank spins from shortly before the expected arrival until shortly after it`() {
        let forecast = Self.forecast(.milliseconds(100), .milliseconds(2))
        #expect(forecast.nap(after: .zero) == .microseconds(50))
        #expect(forecast.nap(after: .microseconds(1790)) == .microseconds(10))
        #expect(forecast.nap(after: .microseconds(1800)) == nil)
        #expect(forecast.nap(after: .microseconds(2299)) == nil)
        #expect(forecast.nap(after: .microseconds(2300)) == .microseconds(2300) / 32)
    }

    @Test func `a rank spins at once if messages come without delay, or before the first message`() {
        for forecast in [Self.forecast(), Self.forecast(.microseconds(10))] {
            #expect(forecast.nap(after: .zero) == nil)
            #expect(forecast.nap(after: .microseconds(299)) == nil)
            #expect(forecast.nap(after: .microseconds(320)) == .microseconds(50))
        }
    }

    @Test func `naps become longer with the wait, and end before the expected arrival`() {
        for forecast in [Self.forecast(), Self.forecast(.seconds(20))] {
            #expect(forecast.nap(after: .milliseconds(8)) == .microseconds(250))
            #expect(forecast.nap(after: .seconds(10)) == .microseconds(500))
        }
    }
}
