"""Word lists the programmatic skills draw from."""

NAMES = """Lily Tom Ben Mia Sam Anna Max Sue Tim Lucy Jack Jane Bob Amy Leo Ella Zoe Kate Dan Nora Ruby Finn
Rosa Omar Ivy Hugo Lena Ali Maya Noah Emma Oscar Alice Peter Clara Felix Daisy George Molly Henry Grace Oliver
Sophie Jacob Mary Paul Sara David Julia Mark Nina Toby Ada Carl Elsa Victor Wendy Yara Zack Priya Kofi Amara
Hana Luis Marco Ingrid Sven Fatima Diego Chloe Ethan Isla Jonas Karim Lara Milo Nadia Otto Pia Quinn Rafi""".split()

ANIMALS = """cat dog bird fish rabbit bear mouse duck frog fox lion horse cow pig hen sheep goat owl bee ant
butterfly turtle snail monkey elephant tiger giraffe zebra puppy kitten squirrel wolf deer dragon crab whale
dolphin penguin hedgehog ladybug worm spider parrot swan donkey""".split()

THINGS = """ball car boat kite book doll hat box cup bike drum bell key lamp toy train block spoon blanket
basket balloon flower stone leaf shell pencil crayon cake apple cookie banana sandwich carrot map ring necklace
wagon bucket shovel truck puzzle robot teddy umbrella ladder mirror clock candle swing rope tent violin guitar
scarf mitten coat shoe bag chair table pillow letter star ticket coin camera""".split()

PLACES = """park garden forest beach school farm house kitchen zoo river lake hill shop library market playground
village castle cave mountain field yard barn meadow pond museum bakery city""".split()

COLOURS = "red blue green yellow pink purple orange brown black white grey golden silver".split()

ADJECTIVES = """big small happy sad brave kind funny shy clever tiny old young hungry sleepy angry lonely
curious friendly noisy quiet lost magic wise lazy busy gentle proud silly strong scared""".split()

VERBS_DONE = """found lost saw took made bought hid painted dropped carried wanted kept fixed washed threw
borrowed broke shared""".split()

CITIES = """Paris London Berlin Rome Madrid Tokyo Boston Chicago Seattle Denver Austin Oslo Dublin Cairo Lima
Delhi Sydney Toronto Athens Lisbon Vienna Prague Zurich Mumbai Nairobi Lagos Seoul Beijing Dallas Miami Geneva
Warsaw Helsinki Portland Phoenix Atlanta Houston Madison Quito Accra Kyoto Milan Munich Venice""".split()

FOODS = """pizza pasta soup salad rice bread cheese pancakes noodles curry tacos cookies sushi burger stew
porridge pie toast eggs""".split()

LISTS = {
    "colours": COLOURS,
    "animals": ANIMALS,
    "toys": "ball doll kite car train blocks puzzle robot drum truck teddy".split(),
    "fruits": "apple banana orange pear grape cherry lemon plum peach mango strawberry melon".split(),
    "foods": FOODS,
    "cities": CITIES,
    "names": NAMES,
    "vegetables": "carrot potato onion tomato pea bean corn pumpkin cucumber lettuce spinach".split(),
    "clothes": "hat coat shoes socks scarf dress shirt gloves boots sweater".split(),
    "places": "park beach school zoo farm forest library market garden museum".split(),
}

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
SEASONS = "spring summer autumn winter".split()
LETTERS = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

OPPOSITES = {
    "big": "small", "hot": "cold", "happy": "sad", "day": "night", "up": "down", "fast": "slow",
    "old": "young", "wet": "dry", "light": "dark", "open": "closed", "full": "empty", "high": "low",
    "good": "bad", "loud": "quiet", "early": "late", "soft": "hard", "clean": "dirty", "long": "short",
    "in": "out", "near": "far", "rich": "poor", "strong": "weak", "left": "right", "start": "end",
    "love": "hate", "black": "white", "yes": "no", "brave": "scared", "kind": "mean", "awake": "asleep",
}

SOUNDS = {
    "cat": "meow", "dog": "woof", "cow": "moo", "duck": "quack", "sheep": "baa", "pig": "oink",
    "lion": "roar", "bee": "buzz", "owl": "hoot", "frog": "ribbit", "horse": "neigh", "mouse": "squeak",
}

PLURALS = {
    "cat": "cats", "box": "boxes", "mouse": "mice", "child": "children", "baby": "babies", "leaf": "leaves",
    "dog": "dogs", "foot": "feet", "tooth": "teeth", "berry": "berries", "man": "men", "woman": "women",
    "bus": "buses", "toy": "toys", "fish": "fish", "sheep": "sheep", "wolf": "wolves", "dish": "dishes",
}

PASTS = {
    "go": "went", "run": "ran", "eat": "ate", "see": "saw", "play": "played", "jump": "jumped",
    "sing": "sang", "fly": "flew", "swim": "swam", "find": "found", "take": "took", "give": "gave",
    "walk": "walked", "say": "said", "make": "made", "sleep": "slept", "write": "wrote", "help": "helped",
}

# Function names are drawn as verb_noun; the held-out prompts use pairs no training list holds.
TOOL_VERBS = """get find search book create send set check cancel update play add delete list order start stop
calculate convert translate reserve track share save open close show schedule plan buy rent call read
write make remove compare estimate lookup count""".split()

TOOL_NOUNS = """weather restaurant hotel flight train event reminder alarm message email song movie ticket
note task meeting recipe balance payment distance currency price stock news route taxi ride room table appointment
doctor package order account profile playlist timer calendar contact file book product review temperature
tip loan age score area joke fact word definition time date location map photo bus car house apartment invoice
list light door music volume call quote horoscope""".split()
