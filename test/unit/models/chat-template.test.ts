import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { describe, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";
import {
  createChatTemplate,
  findChatTemplate,
  specialTokens,
} from "../../../models/tokenizer/chat-template.ts";
import { PlainTemplate } from "../../../models/tokenizer/plain-template.ts";
import { readAsPython } from "../../../models/tokenizer/python.ts";
import { declareHelpers } from "../../../models/tokenizer/python-values.ts";
import { strftime } from "../../../models/tokenizer/strftime.ts";
import { goldens } from "../../support/golden.ts";

const template = (text: string, tokens: Readonly<Record<string, string>> = {}) =>
  createChatTemplate({ templates: new Map([["default", text]]), tokens }, () =>
    new Date(2026, 0, 5, 9, 7, 3).getTime(),
  );
const user = (content: unknown) => ({ role: "user", content });
const assistant = (content: unknown) => ({ role: "assistant", content });
const PLAIN =
  "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }};{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";

describe("chat templates of the tiny models", () => {
  for (const golden of goldens())
    it(`${golden.name}: as transformers renders them`, async () => {
      const { chatTemplate } = await loadModel(golden.folder);
      for (const { messages, add_generation_prompt, prompt } of golden.chats)
        expect(chatTemplate?.render({ messages, addGenerationPrompt: add_generation_prompt })).toBe(
          prompt,
        );
    });
});

describe("what a template is given", () => {
  it("tokens, tools, documents and variables", () => {
    const text =
      "{{ bos_token }}{{ tools is none }}{{ documents is none }}{{ enable_thinking }}{{ missing is defined }}";
    const render = template(text, { bos_token: "<s>" }).render;
    const output = render({ messages: [], variables: { enable_thinking: false } });
    expect(output.toLowerCase()).toBe("<s>truetruefalsefalse");
    const tools = [{ type: "function", function: { name: "f" } }];
    expect(template("{{ tools | tojson }}").render({ messages: [], tools })).toBe(
      '[{"type": "function", "function": {"name": "f"}}]',
    );
  });

  it("the generation prompt unless told otherwise, or the last message is continued", () => {
    const { render } = template(PLAIN);
    expect(render({ messages: [user("Hi")] })).toBe("[user]Hi;[assistant]");
    expect(render({ messages: [user("Hi")], addGenerationPrompt: false })).toBe("[user]Hi;");
  });

  it("range, booleans of both spellings, and the time", () => {
    const { render } = template(
      "{{ range(3) | list }} {{ True and true }} {{ strftime_now('%d %b %Y') }}",
    );
    expect(render({ messages: [] })).toBe("[0, 1, 2] True 05 Jan 2026");
  });

  it("tool_use serves requests with tools", () => {
    const templates = new Map([
      ["default", "plain"],
      ["tool_use", "with tools"],
    ]);
    const { render } = createChatTemplate({ templates, tokens: {} });
    expect(render({ messages: [] })).toBe("plain");
    expect(render({ messages: [], tools: [{}] })).toBe("with tools");
  });
});

describe("Python's reading", () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      "{{ true }} {{ [1, 'a', none] }} {{ {'k': 1.5} }} {{ 2.0 }}",
      "True [1, 'a', None] {'k': 1.5} 2.0",
    ],
    ["{{ ['it\\'s', 'a\\nb'] }}", "[\"it's\", 'a\\nb']"],
    ["[{{ missing | trim }}][{{ 'a' ~ missing ~ none ~ true }}]", "[][aNoneTrue]"],
    ["{{ {'a': [1]} | string }}", "{'a': [1]}"],
    ["{% for c in 'añ' %}<{{ c }}>{% endfor %}{% for c in missing %}x{% endfor %}", "<a><ñ>"],
    ["{% for c in 'abc' if c != 'b' %}{{ c }}{% endfor %}", "ac"],
    ["{{ '%s has %d of %.1f%%' | format('he', 3, 2) }}", "he has 3 of 2.0%"],
    [
      "[{{ ' \\nx\\n'.strip('\\n') }}][{{ 'xay'.lstrip('x') }}][{{ 'xay'.rstrip('xy') }}][{{ ' a '.strip() }}]",
      "[ \nx][ay][xa][a]",
    ],
    [
      "{% set s = {'items': 1, 'b': 2} %}{% for k, v in s.items() %}{{ k }}={{ v }};{% endfor %}{{ s.get('b') }}{{ s.items }}",
      "items=1;b=2;21",
    ],
    ["a {% raw %}\n{{ not read }}{% endraw %}\nb", "a \n{{ not read }}b"],
    ["a {%- raw -%} {{ x }} {%- endraw -%} b", "a{{ x }}b"],
    [
      "[{{ {'a': 1}[missing] }}]{{ {'a': 1}['a'] }}{{ [7, 8][1] }}{% set k = 'a' %}{{ {'a': 1}[k] }}",
      "[]181",
    ],
    ["{{ {} is iterable }}{{ 1 is iterable }}", "TrueFalse"],
    ["{% macro yes() %}{{ 1 == 1 }}{% endmacro %}{% if yes() == 'True' %}ok{% endif %}", "ok"],
    [
      "{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
      "3",
    ],
    ["{{ none }}[{{ missing }}]", "None[]"],
    [
      "{% set x = 1 %}{% for i in range(2) %}{{ x }}{% if true %}{% set x = 2 %}{% endif %}{{ x }};{% endfor %}{{ x }}",
      "12;12;1",
    ],
    ["{% for x in [1, 2] %}{% set x = x + 5 %}{{ x }}{% endfor %}", "67"],
    ["{{ 'a' + 'b' }}{{ 1 + 2 }}{{ [1] + [2] }}", "ab3[1, 2]"],
    [
      "[{{ [] | first }}][{{ [] | last | default('d') }}]{{ [4, 5] | first }}{{ 'xy' | last }}",
      "[][d]4y",
    ],
    [
      "{% set l = [{'a': 1}, {'b': 2}] %}{{ l | selectattr('a', 'undefined') | list }}{{ l | rejectattr('a', 'undefined') | list }}",
      "[{'b': 2}][{'a': 1}]",
    ],
    [
      "{% set d = {10: 'x', 9: 'y'} %}{{ d[10] }}{% set k = 9 %}{{ d[k] }}{% for k, v in d | dictsort %}{{ k + 1 }}{{ v }}{% endfor %}{% for k in d %}{{ k }},{% endfor %}",
      "xy10y11x10,9,",
    ],
    ["{% for k, v in {'b': 1, 'A': 2} | dictsort %}{{ k }}{{ v }}{% endfor %}", "A2b1"],
  ];
  for (const [text, output] of cases)
    it(text, () => {
      expect(template(text).render({ messages: [] })).toBe(output);
    });
});

const parts = [
  { type: "text", text: "one" },
  { type: "text", text: "two" },
];

describe("what Python refuses", () => {
  it.each([
    ["{{ 'a' + [1] }}", 'can only concatenate str (not "list") to str'],
    ["{{ 'a' + 1 }}", 'can only concatenate str (not "int") to str'],
    ["{{ 'a' + missing }}", "undefined"],
    ["{{ ([] | first).content }}", "No first item, sequence was empty."],
  ])("%s", (text, message) => {
    expect(() => template(text).render({ messages: [] })).toThrow(message);
  });
});

describe("content parts", () => {
  it("are joined by line ends for a template that prints content", () => {
    expect(template(PLAIN).render({ messages: [user(parts)] })).toBe("[user]one\ntwo;[assistant]");
  });

  it("are left for a template that loops over them", () => {
    for (const content of ["m['content']", "m.content | list", "m.content[0:]"]) {
      const text = `{% for m in messages %}{% for p in ${content} %}<{{ p.text }}>{% endfor %}{% endfor %}`;
      expect(template(text).render({ messages: [user(parts)] })).toBe("<one><two>");
    }
  });
});

describe("messages prepared as vLLM does", () => {
  const LOOP =
    "{% for m in messages %}[{{ m.role }}]{% for p in m.content %}<{{ p.text }}>{% endfor %}{% endfor %}";

  it("gives text as a part to a template that loops, but the result of a tool as text", () => {
    expect(template(LOOP).render({ messages: [user("one")] })).toBe("[user]<one>");
    const tool = { role: "tool", content: parts };
    expect(template(`${LOOP}{{ messages[0].content }}`).render({ messages: [tool] })).toContain(
      "one\ntwo",
    );
  });

  it("leaves empty parts out of joined text", () => {
    const content = [{ type: "text", text: "" }, ...parts];
    expect(template(PLAIN).render({ messages: [user(content)] })).toContain("[user]one\ntwo;");
  });

  it("makes the developer the system, first, unless the template names the role", () => {
    const messages = [
      { role: "system", content: "be kind" },
      user("hi"),
      { role: "developer", content: "be brief" },
    ];
    const { render } = template(PLAIN);
    expect(render({ messages })).toBe("[system]be kind\n\nbe brief;[user]hi;[assistant]");
    expect(render({ messages, asGiven: true })).toContain("[developer]be brief;");
    const knows = template(`${PLAIN}{% if role == 'developer' %}{% endif %}`);
    expect(knows.render({ messages })).toContain("[developer]be brief;");
  });

  it("are left alone where they come as given", () => {
    const { render } = template("{% for m in messages %}{{ m.content }}{% endfor %}");
    const messages = [user([{ type: "text", text: "a" }])];
    expect(render({ messages, asGiven: true })).toBe("[{'type': 'text', 'text': 'a'}]");
    expect(render({ messages })).toBe("a");
  });
});

describe("continuing the final message", () => {
  it("ends the prompt within it", () => {
    const { render } = template(PLAIN);
    const messages = [user("Count."), assistant("1, 2,")];
    expect(render({ messages, continueFinalMessage: true })).toBe("[user]Count.;[assistant]1, 2,");
  });

  it("is not taken in by the same text elsewhere, nor by none", () => {
    const ends = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|end|>{% endfor %}";
    const end = { continueFinalMessage: true };
    for (const content of ["end", "|", "", "n"]) {
      expect(template(ends).render({ messages: [assistant(content)], ...end })).toBe(
        `<assistant>${content}`,
      );
    }
    const parts = [{ type: "text", text: "a" }, { type: "text", text: "end" }, { type: "x" }];
    expect(template(PLAIN).render({ messages: [assistant(parts)], ...end })).toMatch(/end$/);
  });

  it("keeps the message's own end where the template keeps it, and takes its last text part", () => {
    const { render } = template(
      "{% for m in messages %}[{{ m.role }}]{{ m.content }};{% endfor %}",
    );
    const end = { continueFinalMessage: true };
    expect(render({ messages: [assistant("1, 2 ")], ...end })).toBe("[assistant]1, 2 ");
    expect(render({ messages: [assistant([{ type: "text", text: "so" }])], ...end })).toBe(
      "[assistant]so",
    );
    expect(template(PLAIN).render({ messages: [assistant("1, 2 ")], ...end })).toBe(
      "[assistant]1, 2",
    );
  });

  it("refuses a message that the template hides, or that has no text", () => {
    const render = (content: unknown) =>
      template("nothing").render({ messages: [assistant(content)], continueFinalMessage: true });
    expect(() => render("so")).toThrow(/does not appear in the chat after applying/);
    expect(() => render(null)).toThrow(/the final message has no text/);
  });
});

describe("errors", () => {
  const message = (text: string): unknown => {
    try {
      return template(text).render({ messages: [] });
    } catch (error) {
      return error;
    }
  };

  it("raise_exception gives the template's own words", () => {
    expect(message("{{ raise_exception('Roles must alternate!') }}")).toMatchObject({
      name: "ChatTemplateError",
      message: "Roles must alternate!",
    });
  });

  it("a template that does not compile or run says so", () => {
    expect(message("{% for %}")).toMatchObject({
      name: "ChatTemplateError",
      message: expect.stringMatching(/^chat template does not compile: /),
    });
    expect(message("{{ 1 | no_such_filter }}")).toMatchObject({ name: "ChatTemplateError" });
    expect(message("{{ range(999999999) }}")).toMatchObject({
      message: "range() of 999999999 numbers is too long",
    });
  });

  it("a variable cannot take a name's place twice", () => {
    const { render } = template("{{ range }}");
    expect(render({ messages: [], variables: { range: "mine" } })).toBe("mine");
  });
});

describe("finding the template of a folder", () => {
  const inFolder = (files: Readonly<Record<string, string>>, config: object) => {
    const folder = mkdtempSync(join(tmpdir(), "template-"));
    try {
      for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
      return findChatTemplate(folder, { ...config })?.templates;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  it("prefers chat_template.jinja to tokenizer_config.json", () => {
    const found = inFolder({ "chat_template.jinja": "file" }, { chat_template: "config" });
    expect(found?.get("default")).toBe("file");
    expect(inFolder({}, { chat_template: "config" })?.get("default")).toBe("config");
    expect(inFolder({}, {})).toBeUndefined();
  });

  it("reads a list of named ones, which must have a default", () => {
    const named = [
      { name: "default", template: "a" },
      { name: "tool_use", template: "b" },
    ];
    expect([...(inFolder({}, { chat_template: named }) ?? [])]).toEqual([
      ["default", "a"],
      ["tool_use", "b"],
    ]);
    expect(() => inFolder({}, { chat_template: named.slice(1) })).toThrow(
      /tokenizer_config\.json: "chat_template" must be a string or a list/,
    );
  });

  it("takes special tokens as text or as objects", () => {
    const config = {
      bos_token: { content: "<s>" },
      eos_token: "</s>",
      pad_token: null,
      model_max_length: 5,
    };
    expect(specialTokens(config)).toEqual({ bos_token: "<s>", eos_token: "</s>" });
  });
});

describe("strftime", () => {
  const at = new Date(2026, 1, 3, 15, 4, 5);
  const cases: readonly (readonly [string, string])[] = [
    ["%Y-%m-%d %H:%M:%S", "2026-02-03 15:04:05"],
    ["%A, %d %B %Y", "Tuesday, 03 February 2026"],
    ["%a %-d %b %y, %I %p, day %j, 100%%", "Tue 3 Feb 26, 03 PM, day 034, 100%"],
    ["%F %T %e %Q", "2026-02-03 15:04:05  3 %Q"],
  ];
  for (const [format, text] of cases)
    it(format, () => {
      expect(strftime(at, format)).toBe(text);
    });
});

describe("a rendering that only puts texts together", () => {
  /** By the engine alone, and by what takes its place where it can. */
  const both = (text: string, variables: Readonly<Record<string, unknown>>) => {
    const { parsed } = new Template(text);
    readAsPython(parsed);
    const scope = new Environment();
    declareHelpers(scope);
    for (const [name, value] of Object.entries(variables)) scope.set(name, value);
    const plain = new PlainTemplate(parsed, {}).render(variables);
    return { plain, engine: () => new Interpreter(scope).run(parsed).value };
  };
  const messages = [
    { role: "system", content: " be brief " },
    { role: "user", content: "hi\n", name: "n" },
    { role: "assistant", content: "" },
  ];

  it.each([
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m['content'] | trim }}{% endfor %}",
    "{% for m in messages %}{% if loop.first and m.role == 'system' %}{{ m.content }}{% elif not loop.last %}{{ loop.index0 }}{{ m.name ~ '!' }}{% else %}{{ loop.previtem.role }}{% endif %}{% endfor %}",
    "{% if messages[0].role in ['system', 'developer'] %}{% set s = messages[0].content %}{% endif %}{{ s }}{{ 'no' if t is undefined else 'yes' }}",
    "{% for m in messages %}{% set x = m.content %}{{ x if x else 'none' }}{% endfor %}{{ x }}",
    "{% for m in messages %}{{ 'odd' if (m.role == 'user') != (loop.index0 % 2 == 0) else 'even' }}{% else %}nobody{% endfor %}",
    "{% for m in none_of_them %}{{ m }}{% else %}nobody{% endfor %}",
    "{% macro call() %}x{% endmacro %}{% if 'sys' not in messages[0].role and not messages %}{{ messages | length }}{% endif %}{{ missing }}",
  ])("is the engine's own: %s", (text) => {
    for (const given of [messages, messages.slice(1)]) {
      const { plain, engine } = both(text, { messages: given });
      expect(plain).toBe(engine());
    }
  });

  it("is told here for the templates of the tiny models, and for no other value or call", () => {
    for (const name of ["llama", "qwen2"]) {
      const file = new URL(`../../../models/tiny/${name}/chat_template.jinja`, import.meta.url);
      const { plain, engine } = both(readFileSync(file, "utf8"), {
        ...{ messages, tools: null, bos_token: "<s>", add_generation_prompt: true },
      });
      expect(plain).toBe(engine());
    }
    for (const text of ["{{ none }}", "{{ 1.5 }}", "{{ m.content.strip() }}", "{{ [1] }}"]) {
      expect(both(text, { m: { content: " a " }, none: null }).plain).toBeUndefined();
    }
  });
});
