"""Lists of words and small tables of facts, written by hand."""

# fmt: off

BOYS = """
Tom Ben Sam Max Leo Jack Oscar Noah Finn Hugo Paul Adam Luke Theo Eli Omar Ravi Kenji Pedro Ivan Marco Felix Otto Emil
Karl Jonas Samir Diego Mateo Ali Bob Peter John David Daniel George Henry James Oliver Liam
""".split()

GIRLS = """
Anna Mia Lily Emma Zoe Lucy Ella Nora Rosa Ruby Ivy Clara Maya Sofia Eva Alice Hana Leila Priya Mei Yuki Carla Nina
Olga Ines Amara Zara Freya Greta Sara Mary Jane Kate Laura Julia Sophie Grace Chloe Olivia Amy
""".split()

NAMES = BOYS + GIRLS

ANIMALS = """
cat dog fox bear rabbit mouse owl frog duck pig hen horse cow goat sheep lion tiger monkey turtle bird bee ant snail
squirrel hedgehog wolf deer penguin elephant giraffe zebra whale dolphin otter beaver parrot kitten puppy dragon
""".split()

ADJ = """
little brave kind clever shy happy curious funny gentle lazy hungry quiet lonely grumpy busy proud sleepy small tiny
old young
""".split()

COLORS = """
red blue green yellow orange purple pink brown black white grey golden silver
""".split()

PLACES = """
forest village garden farm castle valley island town meadow cave beach mountain city lake river hill park desert
jungle barn
""".split()

THINGS = """
ball kite book lamp drum boat hat bell key box coin cup toy map flute scarf stone shell feather basket blanket bike
train doll robot umbrella clock mirror pencil ring
""".split()

FOODS = """
apple bread cake soup pie honey cheese berry cookie pancake carrot pear banana plum nut rice pizza salad sandwich egg
tomato potato peach cherry
""".split()

JOBS = """
baker teacher farmer doctor painter singer pilot driver nurse cook writer sailor gardener engineer dancer builder
tailor fisherman scientist librarian
""".split()

CITIES = [
    "Paris", "London", "Rome", "Berlin", "Madrid", "Tokyo", "Oslo", "Vienna", "Lisbon", "Dublin", "Prague", "Athens",
    "Cairo", "Delhi", "Sydney", "Toronto", "Boston", "Chicago", "Seattle", "Miami", "New York", "San Francisco",
    "Los Angeles", "Mumbai", "Seoul", "Beijing", "Shanghai", "Bangkok", "Hamburg", "Munich", "Milan", "Venice",
    "Zurich", "Geneva", "Brussels", "Amsterdam", "Copenhagen", "Stockholm", "Helsinki", "Warsaw", "Budapest",
    "Moscow", "Istanbul", "Nairobi", "Lagos", "Lima", "Bogota", "Havana", "Denver", "Dallas", "Austin", "Houston",
    "Portland", "Vancouver", "Montreal", "Melbourne", "Auckland", "Singapore", "Jakarta", "Manila", "Hanoi", "Dubai",
    "Rio", "Santiago", "Kyoto", "Osaka", "Naples", "Porto", "Seville", "Lyon", "Nice", "Cologne", "Bristol", "Leeds",
    "Glasgow", "Edinburgh", "Cape Town", "Mexico City", "Hong Kong", "Buenos Aires",
]

CAPITALS = {
    "France": "Paris", "England": "London", "the United Kingdom": "London", "Italy": "Rome", "Germany": "Berlin",
    "Spain": "Madrid", "Japan": "Tokyo", "Norway": "Oslo", "Austria": "Vienna", "Portugal": "Lisbon",
    "Ireland": "Dublin", "Greece": "Athens", "Egypt": "Cairo", "India": "New Delhi", "Australia": "Canberra",
    "Canada": "Ottawa", "the United States": "Washington", "South Korea": "Seoul", "China": "Beijing",
    "Thailand": "Bangkok", "Switzerland": "Bern", "Belgium": "Brussels", "the Netherlands": "Amsterdam",
    "Denmark": "Copenhagen", "Sweden": "Stockholm", "Finland": "Helsinki", "Poland": "Warsaw", "Hungary": "Budapest",
    "Russia": "Moscow", "Turkey": "Ankara", "Kenya": "Nairobi", "Peru": "Lima", "Brazil": "Brasilia",
    "Argentina": "Buenos Aires", "Mexico": "Mexico City", "Chile": "Santiago", "Cuba": "Havana", "Colombia": "Bogota",
    "Iceland": "Reykjavik", "Scotland": "Edinburgh", "the Czech Republic": "Prague", "Vietnam": "Hanoi",
    "New Zealand": "Wellington",
}

DAYS = """
Monday Tuesday Wednesday Thursday Friday Saturday Sunday
""".split()

MONTHS = """
January February March April May June July August September October November December
""".split()

NUMW = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty
""".split()

SOUNDS = {
    "cat": "meow", "dog": "woof", "cow": "moo", "sheep": "baa", "duck": "quack", "pig": "oink", "hen": "cluck",
    "lion": "roar", "bee": "buzz", "owl": "hoot", "frog": "ribbit", "horse": "neigh", "mouse": "squeak",
    "wolf": "howl", "snake": "hiss", "bird": "tweet",
}

LEGS = {
    "cat": 4, "dog": 4, "cow": 4, "sheep": 4, "duck": 2, "pig": 4, "hen": 2, "lion": 4, "bee": 6, "ant": 6,
    "spider": 8, "owl": 2, "frog": 4, "horse": 4, "mouse": 4, "snake": 0, "bird": 2, "fish": 0, "penguin": 2,
    "elephant": 4, "octopus": 8,
}

HOMES = {
    "bee": "a hive", "bird": "a nest", "rabbit": "a burrow", "fish": "the water", "cow": "a barn", "dog": "a kennel",
    "spider": "a web", "lion": "the savanna", "penguin": "the cold south", "camel": "the desert", "whale": "the sea",
    "monkey": "the trees", "bear": "a den", "horse": "a stable", "ant": "an anthill", "fox": "a den",
    "owl": "a hollow tree",
}

BABIES = {
    "cat": "kitten", "dog": "puppy", "cow": "calf", "sheep": "lamb", "horse": "foal", "hen": "chick",
    "duck": "duckling", "frog": "tadpole", "goat": "kid", "bear": "cub", "lion": "cub", "pig": "piglet",
    "deer": "fawn",
}

COLOR_OF = {
    "the sky": "blue", "grass": "green", "snow": "white", "a banana": "yellow", "a tomato": "red", "coal": "black",
    "an orange": "orange", "a lemon": "yellow", "the sun": "yellow", "blood": "red", "milk": "white",
    "a carrot": "orange", "chocolate": "brown", "a frog": "green", "the sea": "blue", "a leaf": "green",
    "a cherry": "red", "a crow": "black", "a flamingo": "pink", "an elephant": "grey", "a strawberry": "red",
    "sand": "yellow", "a polar bear": "white", "a grape": "purple",
}

MIX = {
    ("red", "blue"): "purple", ("blue", "yellow"): "green", ("red", "yellow"): "orange", ("red", "white"): "pink",
    ("black", "white"): "grey",
}

OPP = {
    "hot": "cold", "big": "small", "up": "down", "day": "night", "happy": "sad", "fast": "slow", "old": "young",
    "wet": "dry", "light": "dark", "full": "empty", "open": "closed", "hard": "soft", "loud": "quiet",
    "left": "right", "early": "late", "good": "bad", "long": "short", "high": "low", "clean": "dirty", "rich": "poor",
    "strong": "weak", "in": "out", "yes": "no", "black": "white", "first": "last",
}

PLURAL = {
    "cat": "cats", "dog": "dogs", "mouse": "mice", "child": "children", "man": "men", "woman": "women",
    "foot": "feet", "tooth": "teeth", "goose": "geese", "box": "boxes", "baby": "babies", "leaf": "leaves",
    "sheep": "sheep", "fish": "fish", "bus": "buses", "city": "cities", "knife": "knives", "book": "books",
    "tree": "trees", "fox": "foxes",
}

RHYME = {
    "cat": "hat", "dog": "log", "sun": "fun", "tree": "bee", "moon": "spoon", "star": "car", "house": "mouse",
    "light": "night", "day": "play", "rain": "train", "book": "cook", "ball": "tall", "fox": "box", "king": "ring",
    "cake": "lake", "boat": "goat", "sky": "fly",
}

DEF = {
    "a cat": "a small furry animal that purrs and likes to catch mice",
    "a dog": "a friendly animal that barks and loves to play with people",
    "a tree": "a tall plant with a trunk, branches and leaves",
    "a flower": "a colourful part of a plant that bees like to visit",
    "the sun": "a star that gives us light and warmth",
    "the moon": "a ball of rock that goes around the Earth",
    "a star": "a huge hot ball of gas far away in the sky",
    "the Earth": "the planet we live on",
    "a planet": "a big round world that goes around a star",
    "rain": "water that falls from clouds",
    "snow": "frozen water that falls in soft white flakes",
    "ice": "frozen water",
    "wind": "air that is moving",
    "a cloud": "many tiny drops of water floating in the sky",
    "a rainbow": "an arc of colours made by sunlight and rain",
    "the sea": "a very large area of salt water",
    "a river": "water that flows across the land to the sea",
    "a mountain": "a very high piece of land",
    "an island": "land with water all around it",
    "a desert": "a dry place where it hardly ever rains",
    "a forest": "a place with many trees",
    "a book": "pages with words and pictures that you can read",
    "a school": "a place where children learn",
    "a hospital": "a place where doctors and nurses help sick people",
    "a library": "a place where you can borrow books",
    "a doctor": "a person who helps sick people get well",
    "a teacher": "a person who helps others learn",
    "a farmer": "a person who grows food and keeps animals",
    "a baker": "a person who makes bread and cakes",
    "a pilot": "a person who flies planes",
    "a computer": "a machine that follows instructions and works with information",
    "a robot": "a machine that can move and do jobs",
    "a phone": "a small machine for talking with people far away",
    "a car": "a machine with four wheels that takes people from place to place",
    "a boat": "something that floats and carries people over water",
    "a plane": "a machine with wings that flies",
    "a bicycle": "a vehicle with two wheels that you push with your feet",
    "a train": "a row of wagons that runs on rails",
    "a clock": "a thing that shows the time",
    "a map": "a drawing that shows where places are",
    "bread": "food made from flour and water and baked in an oven",
    "cheese": "food made from milk",
    "honey": "sweet food that bees make",
    "milk": "a white drink that comes from cows",
    "water": "a clear liquid that all living things need",
    "fire": "hot bright flames that come from burning things",
    "music": "sounds put together so that they are nice to hear",
    "a friend": "a person you like and who likes you",
    "a family": "people who belong together and care for each other",
    "winter": "the coldest season of the year",
    "summer": "the warmest season of the year",
    "spring": "the season when flowers start to grow",
    "autumn": "the season when leaves fall from the trees",
    "a bee": "a small insect that makes honey",
    "a whale": "a very large animal that lives in the sea",
    "an elephant": "a very big grey animal with a long trunk",
    "a penguin": "a bird that swims well but cannot fly",
    "a lion": "a big wild cat that roars",
    "a spider": "a small animal with eight legs that makes webs",
    "a triangle": "a shape with three sides",
    "a square": "a shape with four equal sides",
    "a circle": "a perfectly round shape",
    "a number": "a word or sign that tells how many",
    "a word": "a group of letters with a meaning",
    "love": "a warm feeling of caring for someone",
    "a token": "a small piece of text, often a word or part of a word",
    "a language model": "a program that learns to guess the next piece of text",
    "a neural network": "a program made of many small sums that learns from examples",
    "artificial intelligence": "making computers do things that seem clever",
    "a story": "words that tell what happened to someone",
    "a poem": "a short text with rhythm and often with rhymes",
    "a cake": "a sweet food baked in an oven",
    "gravity": "the pull that makes things fall down",
    "a program": "a list of instructions for a computer",
}

WHY = {
    "Why is the sky blue?": "The air spreads blue light from the sun more than the other colours, so the sky looks blue.",
    "Why do birds fly south?": "Many birds fly south in autumn because it is warmer there and they can find food.",
    "Why do we sleep?": "We sleep so that our bodies can rest and our minds can sort what we learned.",
    "Why do leaves fall?": "Trees drop their leaves in autumn to save water in the cold months.",
    "Why is the sea salty?": "Rivers carry tiny bits of salt from rocks into the sea.",
    "Why do cats purr?": "Cats often purr when they feel safe and happy.",
    "Why does it rain?": "Water rises from the sea as vapour, makes clouds and falls back as rain.",
    "Why is ice cold?": "Ice is frozen water, and water only freezes when it is very cold.",
    "Why do we eat?": "We eat because food gives our bodies energy.",
    "Why do bees make honey?": "Bees make honey so that they have food in winter.",
    "How do plants grow?": "Plants grow with light, water, air and good soil.",
    "How do birds fly?": "Birds push the air down with their wings, and the air lifts them up.",
    "How do fish breathe?": "Fish breathe under water with their gills.",
    "Where does milk come from?": "Milk comes from cows and some other animals.",
    "Where does honey come from?": "Honey comes from bees.",
    "How many days are in a week?": "There are seven days in a week.",
    "How many months are in a year?": "There are twelve months in a year.",
    "How many days are in a year?": "There are 365 days in a year, and 366 in a leap year.",
    "How many hours are in a day?": "There are 24 hours in a day.",
    "How many minutes are in an hour?": "There are 60 minutes in an hour.",
    "How many seconds are in a minute?": "There are 60 seconds in a minute.",
    "How many letters are in the alphabet?": "There are 26 letters in the English alphabet.",
    "How many planets are in the solar system?": "There are eight planets in the solar system.",
    "What is the largest planet?": "The largest planet is Jupiter.",
    "What is the smallest planet?": "The smallest planet is Mercury.",
    "Which planet is red?": "Mars is called the red planet.",
    "What is the largest ocean?": "The largest ocean is the Pacific Ocean.",
    "What is the longest river?": "The Nile is one of the longest rivers in the world.",
    "What is the highest mountain?": "The highest mountain is Mount Everest.",
    "What is the fastest animal?": "The cheetah is the fastest animal on land.",
    "What is the largest animal?": "The blue whale is the largest animal.",
    "What is the tallest animal?": "The giraffe is the tallest animal.",
    "What do cows drink?": "Cows drink water.",
    "What do rabbits eat?": "Rabbits eat grass, leaves and carrots.",
    "What do pandas eat?": "Pandas eat bamboo.",
    "At what temperature does water boil?": "Water boils at 100 degrees Celsius.",
    "At what temperature does water freeze?": "Water freezes at 0 degrees Celsius.",
    "What is the closest star to us?": "The closest star to us is the sun.",
    "Is the Earth round?": "Yes, the Earth is round like a ball.",
    "Can penguins fly?": "No, penguins cannot fly, but they swim very well.",
    "Can fish swim?": "Yes, fish can swim.",
    "Is a whale a fish?": "No, a whale is a mammal that lives in the sea.",
    "What are the seasons?": "The four seasons are spring, summer, autumn and winter.",
    "What are the days of the week?": "The days of the week are Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday.",
    "What are the months of the year?": "The months are January, February, March, April, May, June, July, August, September, October, November and December.",
    "What are the colours of the rainbow?": "The colours of the rainbow are red, orange, yellow, green, blue, indigo and violet.",
    "What is the alphabet?": "The alphabet is A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y and Z.",
    "Who wrote Romeo and Juliet?": "William Shakespeare wrote Romeo and Juliet.",
    "Who painted the Mona Lisa?": "Leonardo da Vinci painted the Mona Lisa.",
    "What language do people speak in France?": "People in France speak French.",
    "What language do people speak in Germany?": "People in Germany speak German.",
    "What language do people speak in Spain?": "People in Spain speak Spanish.",
    "What language do people speak in Japan?": "People in Japan speak Japanese.",
    "What is the opposite of a question?": "You could say that an answer is the opposite of a question.",
    "What is the meaning of life?": "That is a big question for a tiny model. I think being kind is a good start.",
    "Which came first, the chicken or the egg?": "Nobody knows for sure. It is a very old riddle.",
    "Is the moon made of cheese?": "No, the moon is made of rock.",
}

JOKES = [
    "Why did the cat sit on the computer? To keep an eye on the mouse!",
    "What do you call a sleeping bull? A bulldozer!",
    "Why did the student eat his homework? Because the teacher said it was a piece of cake!",
    "What has four wheels and flies? A garbage truck!",
    "Why was six afraid of seven? Because seven eight nine!",
    "What do you call a bear with no teeth? A gummy bear!",
    "Why did the bicycle fall over? Because it was two tired!",
    "What is orange and sounds like a parrot? A carrot!",
    "How do bees get to school? On the school buzz!",
    "Why do fish live in salt water? Because pepper makes them sneeze!",
    "What do you call cheese that is not yours? Nacho cheese!",
    "Why did the clock go to the doctor? It was running slow!",
]

POEMS = {
    "cat": "The little cat sat in the sun,\nand dreamed of mice and having fun.\nShe purred and purred until the night,\nthen curled up small in silver light.",
    "dog": "My happy dog runs down the hill,\nhe loves to jump, he can't sit still.\nHe wags his tail and licks my hand,\nthe finest friend in all the land.",
    "rain": "Pitter, patter, falls the rain,\ntapping on the window pane.\nPuddles shine and rivers flow,\nand all the thirsty flowers grow.",
    "moon": "The moon is round, the moon is bright,\nit hangs above the quiet night.\nIt watches while the children sleep,\nand counts the little woolly sheep.",
    "sun": "Good morning, sun, so warm and bright,\nyou chase away the dark of night.\nThe birds all sing, the flowers wake,\nand light is dancing on the lake.",
    "sea": "The sea is wide, the sea is blue,\nit sings a song for me and you.\nThe waves roll in, the waves roll out,\nand little fishes swim about.",
    "winter": "The snow falls soft, the world is white,\nthe lamps are warm and gold at night.\nWe drink hot tea, we tell a tale,\nwhile winds blow over hill and dale.",
    "spring": "The ice is gone, the grass is green,\nthe brightest flowers ever seen.\nThe bees come out, the children play,\nand spring has come to us today.",
    "tree": "A tall old tree stands on the hill,\nits leaves are never quite still.\nIt gives us shade, it gives us air,\nand birds have built their houses there.",
    "friend": "A friend is someone kind and true,\nwho laughs and shares the day with you.\nWhen skies are grey and you feel small,\na friend will help you stand up tall.",
    "star": "Little star so far away,\nwhere do you go to in the day?\nAt night you shine, so small and bright,\nand fill the dark with silver light.",
    "computer": "A small machine sits by my bed,\nit counts with numbers in its head.\nIt helps me write, it helps me read,\nand gives me answers that I need.",
}

UNKNOWN = [
    "quantum physics", "the stock market", "Roman law", "the history of Peru", "organic chemistry", "tax rules",
    "the theory of relativity", "the French Revolution", "medieval poetry", "car engines", "the World Cup",
    "the news today", "politics", "my homework about cells", "Bitcoin", "climate models", "the Second World War",
    "brain surgery", "football results", "Greek philosophy", "the latest film", "programming in Rust", "Swift code",
    "Python code", "a legal contract", "an essay about trade", "black holes", "genetics", "compilers", "economics",
    "the election", "algebra", "the periodic table", "opera", "chess openings", "ancient Rome", "web design",
    "the human heart", "nuclear power", "space travel", "a business plan", "Shakespeare's plays", "vaccines",
    "earthquakes", "the Roman Empire", "linear algebra", "the price of gold", "my future", "the lottery numbers",
    "world history", "deep learning", "transformers", "mixture of experts",
]

DEEDS = [
    "write code", "write a program", "cook pasta", "bake a cake", "fix my car", "learn French", "draw a picture",
    "make an image", "play chess", "translate this text", "summarize this text", "solve this equation",
    "book a flight", "buy a house", "get rich", "lose weight", "write an email", "write a letter to my boss",
    "plan my day", "plan a trip", "read my mail", "call my mother", "search the internet", "open a file",
    "run a program", "sing a song", "play a game", "write a novel", "do my homework", "prove a theorem",
    "build a house", "repair a bike", "find a job", "invest money", "learn to swim", "debug my program",
    "write a test", "explain this code", "compare two texts", "see this picture", "hear me", "remember everything",
    "predict the future", "tell me the news", "count all stars", "drive a car", "grow tomatoes", "make coffee",
    "tie a tie", "clean my room", "speak Chinese",
]

HARD_NOUNS = [
    "a quark", "a theorem", "a volcano", "a kidney", "democracy", "inflation", "a guitar", "a violin",
    "photosynthesis", "a microscope", "a tax", "a vaccine", "jazz", "a galaxy", "a laser", "a battery", "an atom",
    "a molecule", "a symphony", "philosophy", "a submarine", "an engine", "a bridge", "a museum", "a contract",
    "a virus", "oxygen", "a database", "a compiler", "Swift", "Python", "Linux", "a server", "a GPU", "the internet",
    "blockchain", "a fjord", "an orchid", "a kangaroo", "a comet", "time", "a recursion", "an algorithm",
    "the economy", "a verb", "a noun", "electricity", "a magnet", "a telescope",
]

FAR_COUNTRIES = [
    "Mongolia", "Nepal", "Bolivia", "Ghana", "Morocco", "Pakistan", "Iran", "Iraq", "Romania", "Bulgaria", "Serbia",
    "Croatia", "Ukraine", "Estonia", "Latvia", "Malta", "Cyprus", "Jamaica", "Panama", "Ecuador", "Uruguay",
    "Senegal", "Uganda", "Ethiopia", "Madagascar", "Cambodia", "Laos", "Malaysia", "Sri Lanka", "Bangladesh", "Wales",
    "Texas", "California", "Mars", "Africa", "Europe",
]

FAMOUS = [
    "the president", "Napoleon", "Einstein", "Mozart", "Cleopatra", "the king of Spain", "Julius Caesar", "Newton",
    "Beethoven", "the prime minister", "Marie Curie", "Darwin", "Plato", "Picasso", "Batman", "Elvis", "Gandhi",
]

MASS = """
bread cake soup pie honey cheese rice pizza salad
""".split()

HEROES = """
robot princess knight wizard pirate king queen witch giant fairy ghost baker farmer teacher sailor astronaut monster
clown prince unicorn
""".split()

SYLLABLES = """
ba be bi bo da do fa fe ga go ha ja jo ka ke ki ko la le li lo lu ma me mi mo na ne ni no pa pe ra re ri ro sa se si
so ta te ti to va ve vi za zo bra dri fel gan har kel lin mar nor pol quin ral sen tor val wen yor zan
""".split()
