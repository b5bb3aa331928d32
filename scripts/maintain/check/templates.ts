/**
 * Chat templates of real models against renderings by Python's Jinja2: how many
 * are equal, refused with a clear error, or different.
 *
 *     npx tsx scripts/maintain/check/templates.ts [--show 20]
 *
 * Data: `chat-templates` under TRAINYARD_DATA (default ../shared/data).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { createChatTemplate } from "../../../models/tokenizer/chat-template.ts";

export interface TemplateCheck {
  /** Rendered by both, the same text. */
  readonly equal: number;
  /** Refused by both. */
  readonly refused: number;
  /** Rendered by Python, refused here with an error. */
  readonly errors: readonly Mismatch[];
  /** Rendered by both, differently. */
  readonly different: readonly Mismatch[];
  /** Refused by Python (a template's own complaint, mostly), rendered here. */
  readonly lenient: readonly Mismatch[];
}

export interface Mismatch {
  readonly template: string;
  readonly context: string;
  readonly detail: string;
}

interface Golden {
  readonly template: string;
  readonly context: string;
  readonly output?: string;
  /** Where Python's Markup escaped what it should not have. */
  readonly output_unescaped?: string;
  readonly error?: string;
}

interface Context {
  readonly messages: readonly unknown[];
  readonly tools?: readonly unknown[];
  readonly documents?: readonly unknown[];
  readonly add_generation_prompt?: boolean;
  readonly [variable: string]: unknown;
}

interface Contexts {
  readonly strftime_now: string;
  readonly common: Readonly<Record<string, string>>;
  readonly contexts: Readonly<Record<string, Context>>;
}

export const templateData = (): string =>
  join(process.env["TRAINYARD_DATA"] ?? "../shared/data", "chat-templates");

export function checkTemplates(folder: string): TemplateCheck {
  const {
    common,
    contexts,
    strftime_now: frozen,
  } = JSON.parse(readFileSync(join(folder, "contexts.json"), "utf8")) as Contexts; // our data set
  const lines = gunzipSync(readFileSync(join(folder, "golden-renders.jsonl.gz")))
    .toString("utf8")
    .trim()
    .split("\n");
  // The frozen time has no zone: it is what a clock on the wall says.
  const now = () => new Date(frozen).getTime();
  const templates = new Map<string, ReturnType<typeof createChatTemplate>>();
  const errors: Mismatch[] = [];
  const different: Mismatch[] = [];
  const lenient: Mismatch[] = [];
  let equal = 0;
  let refused = 0;
  for (const line of lines) {
    const golden = JSON.parse(line) as Golden; // our data set
    const template =
      templates.get(golden.template) ??
      createChatTemplate({ templates: readTemplate(folder, golden.template), tokens: common }, now);
    templates.set(golden.template, template);
    const context = contexts[golden.context];
    if (context === undefined) throw new Error(`There is no context ${golden.context}.`);
    const { messages, tools, documents, add_generation_prompt: prompt, ...variables } = context;
    const mismatch = (detail: string): Mismatch => ({
      template: golden.template,
      context: golden.context,
      detail,
    });
    let text: string;
    try {
      text = template.render({
        messages,
        ...(tools !== undefined && { tools }),
        ...(documents !== undefined && { documents }),
        addGenerationPrompt: prompt ?? false,
        variables,
        asGiven: true,
      });
    } catch (error) {
      if (golden.output === undefined) refused++;
      else errors.push(mismatch(error instanceof Error ? error.message : String(error)));
      continue;
    }
    const expected = golden.output_unescaped ?? golden.output;
    if (expected === undefined) lenient.push(mismatch(golden.error ?? ""));
    else if (text === expected || text === golden.output) equal++;
    else different.push(mismatch(firstDifference(expected, text)));
  }
  return { equal, refused, errors, different, lenient };
}

/** A name that ends in `#chat_template` is a key of a tokenizer_config.json. */
function readTemplate(folder: string, name: string): ReadonlyMap<string, string> {
  const [path = "", key] = name.split("#");
  const text = readFileSync(join(folder, path), "utf8");
  if (key === undefined) return new Map([["default", text]]);
  const value: unknown = (JSON.parse(text) as Readonly<Record<string, unknown>>)[key]; // our data set
  return new Map([["default", String(value)]]);
}

function firstDifference(expected: string, text: string): string {
  let at = 0;
  while (at < expected.length && expected[at] === text[at]) at++;
  const around = (one: string) => JSON.stringify(one.slice(Math.max(0, at - 20), at + 40));
  return `at ${at}: expected ${around(expected)}, got ${around(text)}`;
}

export function run(argv: readonly string[]): number {
  const { values } = parseArgs({
    args: [...argv],
    options: { show: { type: "string", default: "0" } },
  });
  const folder = templateData();
  if (!existsSync(folder)) {
    process.stderr.write(`check-templates: no data at ${folder}; set TRAINYARD_DATA.\n`);
    return 1;
  }
  const { equal, refused, errors, different, lenient } = checkTemplates(folder);
  const rows = [
    ["equal", equal],
    ["refused by both", refused],
    ["refused here only", errors.length],
    ["different", different.length],
    ["rendered here only", lenient.length],
  ] as const;
  for (const [name, count] of rows)
    process.stdout.write(`${name.padEnd(20)}${String(count).padStart(6)}\n`);
  const most = Number(values.show);
  for (const [name, list] of [
    ["different", different],
    ["refused", errors],
    ["lenient", lenient],
  ] as const) {
    for (const { template, context, detail } of list.slice(0, most)) {
      process.stdout.write(`${name}: ${template} × ${context}: ${detail}\n`);
    }
  }
  return 0;
}

if (
  process.argv[1] !== undefined &&
  import.meta.url.endsWith(process.argv[1].replace(/^.*\//, "/"))
) {
  process.exitCode = run(process.argv.slice(2));
}
