/** Bodies of the wrong shape: found in pydantic's way and told in vLLM 0.32's words. */
import { describe, expect, it } from "vitest";
import type { ApiError } from "../../../server/http/errors.ts";
import { JsonError, readJson } from "../../../server/http/shape/json.ts";
import { pyFloat, pyRepr } from "../../../server/http/shape/python.ts";
import { checkItems, parseBody, shapeCheck } from "../../../server/http/validation.ts";
import { chatRequest } from "../../../server/openai/chat/schema.ts";
import { completionRequest } from "../../../server/openai/completions/schema.ts";

const checks = { chat: shapeCheck(chatRequest), completion: shapeCheck(completionRequest) };

function read(kind: keyof typeof checks, text: string): unknown {
  const checked = checks[kind](parseBody(text));
  if ("error" in checked) throw checked.error;
  return checked.value;
}

function refusal(kind: keyof typeof checks, text: string): ApiError {
  const checked = checks[kind](parseBody(text));
  if ("value" in checked) throw new Error(`accepted: ${text}`);
  return checked.error;
}

/** The first complaints of an answer, as type, place and input. */
function complaints(error: ApiError): readonly string[] {
  return error.message
    .split("\n")
    .slice(1)
    .map((line) => /'type': '(\w+)', 'loc': '([^']*)'.*'input': (.*?)(, 'ctx'.*)?\}$/.exec(line))
    .map((found) => (found === null ? "…" : found.slice(1, 4).join(" ")));
}

const hi = '"messages":[{"role":"user","content":"Hi"}]';

describe("shapes", () => {
  it.each([
    ["temperature", "1".repeat(500_000), "x", "float_parsing"],
    ["temperature", "1".repeat(4_000), "x", "float_parsing"],
    ["temperature", "1_".repeat(8_000_000), "x", "float_parsing"],
    ["n", "1_".repeat(8_000_000), "x", "int_parsing"],
    ["n", "", "x".repeat(16_000_000), "int_parsing"],
  ])("%s of very many digits is found to be none in one pass (%#)", (field, digits, rest, type) => {
    const [told] = complaints(refusal("chat", `{${hi},"${field}":"${digits}${rest}"}`));
    expect(told).toMatch(`${type} body.${field} '`);
  });

  it.each([
    ["chat", `{${hi},"max_tokens":${"1".repeat(400)}}`, { max_tokens: Number.POSITIVE_INFINITY }],
    ["completion", `{"prompt":[${"1".repeat(4_300)}]}`, { prompt: [Number.POSITIVE_INFINITY] }],
  ] as const)("an integer past all doubles is one (%#)", (kind, text, wanted) => {
    expect(read(kind, text)).toMatchObject(wanted);
  });

  it("what Python does not read is no body, where it has to be read again", () => {
    for (const number of ["1".repeat(4_301), `-${"1".repeat(4_301)}`]) {
      expect(() => read("chat", `{${hi},"n":${number}}`)).toThrow(/error parsing the body/);
    }
    expect(complaints(refusal("chat", `{${hi},"n":"${"1".repeat(4_301)}"}`))[0]).toMatch(
      /^int_parsing_size body.n/,
    );
    const deep = `${"[".repeat(990)}${"]".repeat(990)}`;
    expect(complaints(refusal("chat", `{${hi},"n":"x","metadata":${deep}}`))).toContain(
      "int_parsing body.n 'x'",
    );
  });

  it.each([
    ["1_0.5_0", 10.5],
    [" 1. ", 1],
    [".5e-1", 0.05],
  ])("%j is a number", (text, value) => {
    const checked = read("completion", JSON.stringify({ prompt: "a", length_penalty: text }));
    expect(checked).toMatchObject({ length_penalty: value });
  });

  it.each([
    [
      `{${hi},"n":"1.5","user":true,"stream_interval":0}`,
      [
        "int_parsing body.n '1.5'",
        "string_type body.user 'True'",
        "greater_than_equal body.stream_interval '0'",
      ],
    ],
    [
      `{${hi},"stop":[1,null,"a"]}`,
      [
        "string_type body.stop '<list of 3 items>'",
        "string_type body.stop.0 '1'",
        "string_type body.stop.1 'None'",
      ],
    ],
    [
      `{${hi},"stop":["a","b","c","d",5]}`,
      ["string_type body.stop '<list of 5 items>'", "too_long body.stop '<list of 5 items>'"],
    ],
    [`{${hi},"echo":2.0}`, ["bool_parsing body.echo '2.0'"]],
    [`{${hi},"n":"${"x".repeat(300)}"}`, [`int_parsing body.n '${"x".repeat(200)}...[truncated]'`]],
    [`{${hi},"n":"${"🙂".repeat(150)}"}`, [`int_parsing body.n '${"🙂".repeat(150)}'`]],
    [`{${hi},"echo":1.5}`, ["bool_type body.echo '1.5'"]],
    [`{${hi},"echo":1e300}`, ["bool_type body.echo '1e+300'"]],
    [`{${hi},"echo":100000000000000000000}`, ["bool_type body.echo '100000000000000000000'"]],
    [`{${hi},"echo":null}`, ["bool_type body.echo 'None'"]],
    [`{${hi},"n":1e400}`, ["finite_number body.n 'inf'"]],
    [
      `{${hi},"seed":-9223372036854775809}`,
      ["greater_than_equal body.seed '-9223372036854775809'"],
    ],
    [
      `{${hi},"priority":-9223372036854775809}`,
      ["greater_than_equal body.priority '-9223372036854775809'"],
    ],
    [`{${hi},"seed":9223372036854775808}`, ["less_than_equal body.seed '9223372036854775808'"]],
    [
      `{${hi},"vllm_xargs":{"a":{}}}`,
      ["string_type", "int_type", "float_type", "list_type"].map(
        (type) => `${type} body.vllm_xargs.a '<dict of 0 items>'`,
      ),
    ],
    [
      `{${hi},"tools":[{"type":"x","function":{}}]}`,
      [
        "literal_error body.tools.0.type 'x'",
        "missing body.tools.0.function.name '<dict of 0 items>'",
      ],
    ],
    [
      `{"messages":[{"role":"assistant","tool_calls":"ab"}]}`,
      ["Function", "Custom"].map(
        (kind) => `dict_type body.0.ChatCompletionMessage${kind}ToolCallParam 'a'`,
      ),
    ],
  ])("%s", (text, expected) => {
    expect(complaints(refusal("chat", text))).toEqual(expected);
  });

  it("reports ten and counts the rest", () => {
    const error = refusal("chat", `{"messages":[${"5,".repeat(99)}5]}`);
    expect(error.message).toMatch(/^800 validation errors:\n/);
    expect(error.message.split("\n")).toHaveLength(12);
    expect(error.message).toMatch(/\n {2}\.\.\.and 790 more errors$/);
  });

  it("tries every branch of a prompt", () => {
    expect(complaints(refusal("completion", '{"prompt":["a",1]}'))).toEqual([
      "int_parsing body.prompt.0 'a'",
      "list_type body.prompt.0 'a'",
      "list_type body.prompt.1 '1'",
      "string_type body.prompt '<list of 2 items>'",
      "string_type body.prompt.1 '1'",
    ]);
  });

  it.each([
    [
      '"n":" 1_0 ","min_tokens":"+0.000","echo":"YES","top_p":" 1e-1 "',
      { n: 10, min_tokens: 0, echo: true, top_p: 0.1 },
    ],
    [
      '"n":2.0,"top_k":true,"top_logprobs":null,"stream":0',
      { n: 2, top_k: 1, top_logprobs: 0, stream: false },
    ],
    ['"temperature":NaN', { temperature: Number.NaN }],
    ['"stop":["1"],"temperature":"inf"', { stop: ["1"], temperature: Number.POSITIVE_INFINITY }],
    ['"temperature":"-Infinity","top_p":true', { temperature: -Infinity, top_p: 1 }],
    ['"temperature":" nan ","n":" -3 "', { temperature: Number.NaN, n: -3 }],
    ['"seed":9223372036854775807', { seed: 2n ** 63n - 1n }],
    ['"seed":-9223372036854775808', { seed: -(2n ** 63n) }],
    ['"seed":9007199254740993,"top_p":1', { seed: 2n ** 53n + 1n, top_p: 1 }],
    ['"seed":" 1234567890123456789 "', { seed: 1234567890123456789n }],
    ['"seed":9.007199254740994e15,"user":"x"', { seed: 2n ** 53n + 2n, user: "x" }],
    ['"seed":-7', { seed: -7 }],
    ['"seed":5,"priority":-9007199254740993', { seed: 5, priority: -(2 ** 53) }],
  ])("reads %s", (fields, expected) => {
    expect(read("chat", `{${hi},${fields}}`)).toMatchObject(expected);
  });

  it("prefers the branch that is exact", () => {
    expect(read("completion", '{"prompt":["1","2"]}')).toMatchObject({ prompt: ["1", "2"] });
    expect(read("completion", '{"prompt":[1,2]}')).toMatchObject({ prompt: [1, 2] });
  });

  it("leaves the parts of a message until they are read", () => {
    const body = read("chat", '{"messages":[{"role":"user","content":[{"type":"nope"}]}]}');
    const [message] = (body as { messages: { content: unknown[] }[] }).messages; // checked above
    expect(() => checkItems(message?.content ?? [])).toThrow(
      "8 validation errors for ValidatorIterator\n0.ChatCompletionContentPartTextParam.text\n  Field required [type=missing, input_value={'type': 'nope'}, input_type=dict]\n    For further information visit https://errors.pydantic.dev/2.14/v/missing\n0.",
    );
  });
});

describe("JSON as Python reads it", () => {
  it.each([
    ['{"a":}', "Expecting value", 5],
    ['{"model":"m",}', "Expecting property name enclosed in double quotes", 13],
    ['{"a":1 "b":2}', "Expecting ',' delimiter", 7],
    ['{"a" 1}', "Expecting ':' delimiter", 5],
    ['"abc', "Unterminated string starting at", 0],
    ['{"a":"\\x"}', "Invalid \\escape", 6],
    ['{"a":"\\u12"}', "Invalid \\uXXXX escape", 7],
    ['{"a":"\t"}', "Invalid control character at", 6],
    ["1 2", "Extra data", 2],
    ["-", "Expecting value", 0],
    ['["🐈",', "Expecting value", 5],
    ['{"a":01}', "Expecting ',' delimiter", 6],
  ])("%s", (text, message, position) => {
    const found = (() => {
      try {
        return readJson(text, false);
      } catch (error) {
        return error;
      }
    })();
    expect(found).toBeInstanceOf(JsonError);
    expect(found).toMatchObject({ message, position });
  });

  it("reads what JSON.parse reads", () => {
    const text =
      '{"a":[1,-2.5e3,"\\u00e9\\n\\ud83d\\udc08",{"b":null}],"c":true,"__proto__":{"d":false}}';
    expect(readJson(text, false)).toEqual(JSON.parse(text));
  });
});

describe("Python's spelling", () => {
  it.each([
    [1e16, "1e+16"],
    [123456789012345680, "1.2345678901234568e+17"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [-2, "-2.0"],
    [100, "100.0"],
    [Number.NaN, "nan"],
    [1.5e300, "1.5e+300"],
  ])("%d", (value, expected) => {
    expect(pyFloat(value)).toBe(expected);
  });

  it("of containers and texts", () => {
    expect(pyRepr({ a: [true, null, "it's"], b: "\u2028\u00e9\u0007\t" })).toBe(
      "{'a': [True, None, \"it's\"], 'b': '\\u2028é\\x07\\t'}",
    );
  });
});
