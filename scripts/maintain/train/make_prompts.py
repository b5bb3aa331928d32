"""Writes prompts.json: the 50 fixed prompts and the 30 held-out tool prompts of the evaluation.

Written by hand and kept apart from the training programs: no function here is in any training list.
"""

import json
from pathlib import Path

STORIES = [
    "Tell me a story about a little fox who is lost.",
    "Write a short story about a red balloon.",
    "Tell me a story about Mia and her kitten.",
    "Can you tell me a story about a brave mouse?",
    "Write a story with a dragon in it.",
    "Tell me a bedtime story about a sleepy bear.",
    "I want to hear a story about two friends at the beach.",
    "Finish this story: Tom found a big box in the garden. He wanted to know what was inside.",
    "Make up a story about a girl named Rosa who loves to paint.",
    "Tell me a story.",
]
TALK = [
    "Hello! How are you doing today?",
    "What's your name?",
    "I feel a bit sad today.",
    "Thank you so much for your help!",
    "What is your favourite animal?",
    "My name is Bruno. Nice to meet you!",
    "Can you tell me a joke?",
    "What can you do?",
    "It is raining and I am bored.",
    "Good night! See you tomorrow.",
]
READING = [
    "Nora lost a yellow umbrella in the market. What colour was the umbrella?",
    "Anna has a parrot named Coco. The parrot is noisy. What is the name of the parrot?",
    "Read this: Victor gave Emma a violin on Sunday.\nWho got the violin?",
    "Text: The old owl lived in a barn. It loved bread.\nQuestion: Where did the owl live?",
    "Jack likes soup, but Ella likes pizza. What does Ella like?",
    "Ben went to the library with Lucy to look for a map. Who went with Ben?",
    '"Once upon a time, there was a little boy named Oscar." What is the boy\'s name?',
    "Clara is 7 years old and Noah is 9 years old. How old is Noah?",
    "Sara put the key in the basket. Then Paul came home. Where is the key?",
    "Answer the question. In winter, Finn painted five boats. How many boats were there?",
]
INSTRUCTIONS = [
    "Name three animals.",
    "Continue the list: Monday, Tuesday,",
    "What is the opposite of hot?",
    'Repeat after me: "The green frog jumps."',
    "Count to five.",
    "Write a sentence about a horse.",
    "What is the plural of mouse?",
    "Say hello to Greta.",
    "Which month comes after June?",
    "List four fruits.",
]


def tool(name, description, parameters):
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {"type": "object", "properties": properties, "required": sorted(properties)},
        },
    }


S, I, N = "string", "integer", "number"
TOOLS = {
    name: tool(name, description, parameters)
    for name, description, parameters in [
        ("get_current_weather", "Get the current weather", {"city": S}),
        ("water_plants", "Water the plants in a room", {"room": S}),
        ("feed_penguin", "Feed a penguin at the zoo", {"name": S, "fish": I}),
        ("turn_on_lamp", "Turn on a lamp", {"room": S}),
        ("set_temperature", "Set the temperature of the heating", {"room": S, "degrees": I}),
        ("find_bakery", "Find a bakery nearby", {"city": S}),
        ("paint_wall", "Paint a wall", {"color": S}),
        ("order_pizza", "Order a pizza", {"topping": S, "size": S}),
        ("lock_garage", "Lock the garage", {"time": S}),
        ("get_exchange_rate", "Get an exchange rate", {"from": S, "to": S}),
        ("sing_lullaby", "Sing a lullaby", {"name": S}),
        ("park_bicycle", "Park a bicycle", {"location": S}),
        ("wash_laundry", "Wash the laundry", {"minutes": I}),
        ("get_tide_table", "Get the tides of a harbour", {"city": S, "date": S}),
        ("draw_picture", "Draw a picture", {"topic": S}),
        ("count_steps", "Count the steps of a day", {"date": S}),
        ("roll_dice", "Roll some dice", {"count": I}),
        ("mow_lawn", "Mow the lawn", {"day": S}),
        ("search_recipes", "Search for recipes", {"food": S}),
        ("solve_equation", "Solve an equation", {"equation": S}),
    ]
}
# (functions on offer, the request)
TOOL_PROMPTS = [
    (["get_current_weather"], "What is the weather in Paris?"),
    (["get_current_weather", "order_pizza"], "Order a pizza with mushrooms."),
    (["water_plants", "turn_on_lamp"], "Please water the plants in the kitchen."),
    (["feed_penguin"], "Feed the penguin called Pingu with three fish."),
    (["turn_on_lamp", "lock_garage", "paint_wall"], "Turn on the lamp in the hall."),
    (["set_temperature"], "Set the temperature in the bedroom to 21 degrees."),
    (["find_bakery", "get_exchange_rate"], "Find a bakery in Vienna."),
    (["paint_wall"], "Can you paint the wall in blue?"),
    (["lock_garage", "find_bakery"], "Lock the garage at 10 pm."),
    (["get_exchange_rate", "get_current_weather"], "What is the exchange rate from dollars to euros?"),
    (["sing_lullaby"], "Sing a lullaby for Emma."),
    (["sing_lullaby", "park_bicycle"], "Park my bicycle in Berlin."),
    (["wash_laundry", "mow_lawn", "draw_picture"], "Wash the laundry for 40 minutes."),
    (["get_tide_table"], "Get the tide table in Lisbon on Monday."),
    (["draw_picture", "roll_dice"], "Draw a picture about a boat."),
    (["count_steps", "get_tide_table"], "Count my steps on Tuesday."),
    (["roll_dice"], "Roll two dice."),
    (["mow_lawn", "wash_laundry"], "I want to mow the lawn on Saturday."),
    (["search_recipes", "order_pizza"], "Search recipes with rice."),
    (["solve_equation"], "Solve the equation x + 2 = 5."),
    (["get_current_weather", "get_tide_table", "search_recipes"], "How is the weather in Oslo today?"),
    (["order_pizza"], "I want to order a pizza with cheese."),
    (["water_plants"], "Could you water the plants in the living room, please?"),
    (["feed_penguin", "sing_lullaby"], "I need to feed the penguin called Max."),
    (["set_temperature", "turn_on_lamp"], "Make it 18 degrees in the kitchen."),
    (["paint_wall", "draw_picture"], "Paint a wall in green."),
    (["find_bakery"], "Where can I buy bread in Munich?"),
    (["lock_garage", "count_steps", "roll_dice", "mow_lawn"], "Help me lock the garage at 9 pm."),
    (["park_bicycle", "set_temperature"], "I would like to park the bicycle in Rome."),
    (["get_exchange_rate"], "Tell me the exchange rate from pounds to yen."),
]


def main():
    def plain(kind, texts):
        return [{"kind": kind, "messages": [{"role": "user", "content": text}]} for text in texts]

    calls = [
        {"kind": "tools", "messages": [{"role": "user", "content": text}], "tools": [TOOLS[name] for name in names]}
        for names, text in TOOL_PROMPTS
    ]
    fixed = plain("stories", STORIES) + plain("talk", TALK) + plain("reading", READING)
    fixed += plain("instructions", INSTRUCTIONS) + calls[:10]
    path = Path(__file__).parent / "prompts.json"
    path.write_text(json.dumps({"fixed": fixed, "tools": calls}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
