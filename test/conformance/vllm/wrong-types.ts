/** Every field of the bodies with values of the wrong type, made from the schemas. */
import { chatRequest } from "../../../server/openai/chat/schema.ts";
import { completionRequest } from "../../../server/openai/completions/schema.ts";
import { chat, completion, type VllmCase } from "./case.ts";

interface Node {
  readonly type?: string;
  readonly anyOf?: readonly Node[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly patternProperties?: Readonly<Record<string, Node>>;
  readonly minimum?: number;
  readonly format?: string;
}

/** Honoured here and not in vLLM, or written out by hand elsewhere. */
const APART =
  /^(guided_.*|messages|prompt|tools|tool_choice|thinking_token_budget|top_logprobs|prompt_logprobs|cache_salt|prompt_embeds|structured_outputs|response_format|stream_options|stop|echo)$/;

const WRONG: Readonly<Record<string, readonly (readonly [string, unknown])[]>> = {
  integer: [
    ["a word", "x"],
    ["a fraction", 2.5],
    ["a list", [1]],
    ["an object", { a: 1, b: 2 }],
    ["a decimal text", "1.5"],
  ],
  number: [
    ["a word", "warm"],
    ["a list", [0.5]],
    ["an object", {}],
  ],
  boolean: [
    ["a word", "maybe"],
    ["a number", 7],
    ["a fraction", 0.5],
    ["a list", []],
  ],
  string: [
    ["a number", 12],
    ["true", true],
    ["a list", ["a"]],
    ["an object", { a: "b" }],
  ],
  array: [
    ["a word", "abc"],
    ["an object", {}],
    ["a number", 3],
  ],
  object: [
    ["a word", "abc"],
    ["a list", [1, 2]],
    ["false", false],
  ],
  words: [
    ["another word", "sideways"],
    ["a number", 4],
  ],
};

function kind({ type, anyOf, enum: words, const: word }: Node): string {
  const [first] = (anyOf ?? []).filter((branch) => branch.type !== "null");
  if (first !== undefined) return anyOf?.length === 2 ? kind(first) : "union";
  return words === undefined && word === undefined ? (type ?? "any") : "words";
}

function inner(node: Node): Node {
  const some = (node.anyOf ?? []).filter((branch) => branch.type !== "null");
  return some.length === 1 && some[0] !== undefined ? some[0] : node;
}

/** Wrong values for a field, each with the words that tell it from the others. */
function wrong(node: Node, turn: number): readonly (readonly [string, unknown])[] {
  const nullable = (node.anyOf ?? []).some(({ type }) => type === "null");
  const found = [...(WRONG[kind(node)] ?? [])];
  // Two of the list, not the same two for every field of a type.
  const picked = [0, 2].map((step) => found[(turn + step) % Math.max(1, found.length)]);
  const { items, patternProperties, minimum, format } = inner(node);
  const within = items ?? Object.values(patternProperties ?? {})[0];
  const bad = within === undefined ? undefined : (WRONG[kind(within)] ?? [])[turn % 2]?.[1];
  return [
    ...picked.filter((one) => one !== undefined),
    ...(nullable ? [] : [["null", null] as const]),
    ...(bad !== undefined && items !== undefined ? [["a wrong item", [bad]] as const] : []),
    ...(bad !== undefined && items === undefined ? [["a wrong value", { k: bad }] as const] : []),
    ...(minimum !== undefined ? [["below its bound", minimum - 1] as const] : []),
    ...(format === "int64" ? [["past 64 bits", 1e19] as const] : []),
  ];
}

function cases(schema: Node, make: (name: string, fields: object) => VllmCase): VllmCase[] {
  return Object.entries(schema.properties ?? {})
    .filter(([name]) => !APART.test(name))
    .flatMap(([name, node], turn) =>
      [...new Map(wrong(node, turn))].map(([what, value]) =>
        make(`${name} is ${what}`, { [name]: value }),
      ),
    );
}

export const wrongTypeCases: readonly VllmCase[] = [
  ...cases(chatRequest as Node, chat),
  ...cases(completionRequest as Node, completion),
];
