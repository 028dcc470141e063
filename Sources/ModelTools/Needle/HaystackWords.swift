/// The words of the keys, and sentences that are unrelated to the keys and to each other.
///
/// The training data of the default model contains neither these keys nor these sentences; `Models/recipe` checks this.
enum HaystackWords {
    static let adjectives = words(
        """
        amber brisk candid dapper eager fabled gaunt humble ivory jagged keen lavish mellow nimble oblique placid quaint \
        rustic serene tepid upbeat vivid wistful zesty azure blunt crisp dusky elated frugal glossy hollow intact jovial \
        lunar mossy noble ornate polar robust solemn tidal urban velvet wooden
        """)

    static let nouns = words(
        """
        anvil beacon canyon dynamo easel falcon gazelle harbor igloo jackal kettle lantern magnet nectar obelisk pulley \
        quarry rudder saddle tunnel urn vault walnut yacht zeppelin acorn barrel cactus dagger ember fossil goblet hammock \
        insect jigsaw kiosk ladder mortar napkin orchid pebble quiver ribbon sphinx trumpet utensil violin willow
        """)

    private static let places = words(
        "archive boulevard chapel dockyard embassy foundry gallery hostel junction kitchen laboratory museum nursery observatory "
            + "pavilion quarter refinery stadium terminal university warehouse workshop")
    private static let people = words(
        "architect botanist carpenter curator dentist editor geologist historian inspector jeweller lawyer mechanic notary "
            + "optician plumber reporter surveyor translator watchmaker weaver")
    private static let goods = words(
        "blueprints candles documents envelopes filters garments instruments jars keyboards lenses manuscripts notebooks ornaments "
            + "parcels quilts ropes samples tickets uniforms valves windows")
    private static let times = [
        "in the early hours", "before the meeting", "during the long weekend", "after the holidays",
        "at the end of the quarter",
        "throughout the decade", "on most weekdays", "shortly before noon", "without any notice", "for the second time",
        "in spite of the delay", "while the lights were off",
    ]
    private static let qualities = words(
        "adequate brittle costly durable elegant fragile genuine heavy inexpensive lightweight modern narrow outdated practical "
            + "reliable sturdy transparent unusual valuable")

    /// Returns a random sentence.
    static func sentence(_ draw: inout SeededDraw) -> String {
        let (place, other) = (draw.element(of: places), draw.element(of: places))
        let (person, colleague) = (draw.element(of: people), draw.element(of: people))
        let (goods, time) = (draw.element(of: goods), draw.element(of: times))
        let quality = draw.element(of: qualities)
        let number = 2 + draw.below(97)
        switch draw.below(12) {
        case 0: return "The \(person) inspected the \(goods) at the \(place) \(time)."
        case 1: return "Most visitors of the \(place) agreed that the \(goods) looked \(quality)."
        case 2: return "A shipment of \(number) \(goods) reached the \(place) \(time)."
        case 3: return "According to the \(person), the roof of the \(place) is \(quality)."
        case 4: return "Nobody informed the \(person) that the \(place) had moved next to the \(other)."
        case 5: return "The \(person) and the \(colleague) disputed the price of the \(goods) \(time)."
        case 6: return "Several \(quality) \(goods) were stored below the \(place)."
        case 7: return "The committee replaced the \(goods) \(time), although they were \(quality)."
        case 8: return "Between the \(place) and the \(other) there are \(number) parking spaces."
        case 9: return "The \(colleague) considers such \(goods) \(quality), but the \(person) disagrees."
        case 10: return "Regular maintenance keeps the \(goods) of the \(place) \(quality)."
        default: return "The \(place) employs one \(person) and issues new \(goods) \(time)."
        }
    }

    private static func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }
}
