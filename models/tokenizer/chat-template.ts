/**
 * Chat messages to prompt text by the model's own Jinja template, over
 * @huggingface/jinja, with the globals that Hugging Face transformers gives its
 * templates. Templates are compiled once, when first rendered.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { isObject, ModelConfigError } from "../config.ts";
import type { ChatTemplate } from "../model.ts";
import { isThere, readText } from "../weights/files.ts";
import { loopsOverContent } from "./content-format.ts";
import { prepared, type TemplateReads } from "./messages.ts";
import { PlainTemplate } from "./plain-template.ts";
import { readAsPython } from "./python.ts";
import { declareHelpers } from "./python-values.ts";
import { strftime } from "./strftime.ts";

/** The template does not compile, or refuses these messages (`raise_exception`). */
export class ChatTemplateError extends Error {
  override readonly name = "ChatTemplateError";
}

type RenderInput = Parameters<ChatTemplate["render"]>[0];

/** Named templates and the tokens that they may print. */
export interface TemplateSource {
  /** By name; `default` is there, `tool_use` serves requests with tools when there. */
  readonly templates: ReadonlyMap<string, string>;
  /** `bos_token`, `eos_token`, … as text. */
  readonly tokens: Readonly<Record<string, string>>;
}

interface Compiled {
  readonly template: Template;
  /** What every rendering sees; each sets its own names in a scope below. */
  readonly globals: Environment;
  readonly plain: PlainTemplate;
  readonly reads: TemplateReads;
}

/** Milliseconds since 1970; given by tests. */
export type Now = () => number;

export function createChatTemplate(source: TemplateSource, now: Now = Date.now): ChatTemplate {
  const known = new Map<string, Compiled>();
  const compile = (name: string): Compiled => {
    const made = known.get(name);
    if (made) return made;
    const text = source.templates.get(name) ?? source.templates.get("default") ?? "";
    const template = attempt(
      () => new Template(expandRaw(text)),
      "chat template does not compile: ",
    );
    const reads = {
      parts: loopsOverContent(template.parsed),
      developer: /["']developer["']/.test(text),
    };
    readAsPython(template.parsed);
    const globals = globalsOf(source.tokens, now);
    const plain = new PlainTemplate(template.parsed, globals);
    const compiled = { template, reads, globals: scopeOf(globals), plain };
    known.set(name, compiled);
    return compiled;
  };
  return {
    source,
    render(input) {
      const withTools = input.tools !== undefined && source.templates.has("tool_use");
      const compiled = compile(withTools ? "tool_use" : "default");
      if (!input.continueFinalMessage) return attempt(() => run(compiled, input), "");
      const messages = marked(input.messages);
      return cutAtMark(attempt(() => run(compiled, { ...input, messages }), ""));
    },
  };
}

function run({ template, reads, globals, plain }: Compiled, input: RenderInput): string {
  const variables = {
    tools: input.tools ?? null,
    documents: input.documents ?? null,
    ...input.variables,
    messages: input.asGiven ? input.messages : prepared(input.messages, reads),
    add_generation_prompt: input.addGenerationPrompt ?? !input.continueFinalMessage,
  };
  const text = isPlain(input) ? plain.render(variables) : undefined;
  if (text !== undefined) return text;
  const scope = new Environment(globals);
  for (const [name, value] of Object.entries(variables)) scope.set(name, value);
  const result: unknown = new Interpreter(scope).run(template.parsed).value;
  return typeof result === "string" ? result : "";
}

const SCALARS = new Set(["boolean", "number", "string", "undefined"]);

/** Are all its values such that the engine takes them, whether they are read or not? */
function isPlain({ tools, documents, variables }: RenderInput): boolean {
  const takes = (value: unknown) => value === null || SCALARS.has(typeof value);
  const further = variables === undefined || Object.values(variables).every(takes);
  return tools === undefined && documents === undefined && further;
}

/** `{% raw %}…{% endraw %}`, which the engine does not know, as a string that is printed. */
function expandRaw(template: string): string {
  return template.replace(
    /\{%(-?)\s*raw\s*(-?)%\}([\s\S]*?)\{%(-?)\s*endraw\s*(-?)%\}\n?/g,
    (_, before: string, first: string, inner: string, last: string, after: string) => {
      const head = first === "" ? inner : inner.trimStart();
      const text = last === "" ? head : head.trimEnd();
      return `{{${before} ${JSON.stringify(text)} ${after}}}`;
    },
  );
}

/** What every template may use. */
function globalsOf(tokens: TemplateSource["tokens"], now: Now): Record<string, unknown> {
  return {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    range,
    raise_exception: (message: unknown) => {
      throw new ChatTemplateError(String(message));
    },
    strftime_now: (format: unknown) => strftime(new Date(now()), String(format)),
    ...tokens,
  };
}

function scopeOf(globals: Readonly<Record<string, unknown>>): Environment {
  const scope = new Environment();
  declareHelpers(scope);
  for (const [name, value] of Object.entries(globals)) scope.set(name, value);
  return scope;
}

/** Longest list that `range` makes: templates count messages, not memory. */
const RANGE_LIMIT = 100_000;

function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (step === 0) throw new ChatTemplateError("range() arg 3 must not be zero");
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (count > RANGE_LIMIT) throw new ChatTemplateError(`range() of ${count} numbers is too long`);
  return Array.from({ length: count }, (_, i) => start + i * step);
}

/** Stands at the end of a message that the model goes on with; the blank tells whether the template trims. */
const MARK = "THE MODEL GOES ON FROM HERE ";

/** The messages, the last one's text marked at its end, as transformers does. */
function marked(messages: readonly unknown[]): readonly unknown[] {
  const last = messages.at(-1);
  const content = isObject(last) ? markedText(last["content"]) : undefined;
  if (content === undefined)
    throw new ChatTemplateError("continue_final_message: the final message has no text");
  return [...messages.slice(0, -1), { ...(last as object), content }]; // an object by the lines above
}

function markedText(content: unknown): unknown {
  if (typeof content === "string") return content + MARK;
  if (!Array.isArray(content)) return undefined;
  const index = content.findLastIndex((each) => isObject(each) && typeof each["text"] === "string");
  if (index < 0) return undefined;
  return content.map((part, at) => (at === index ? { ...part, text: part.text + MARK } : part));
}

/** Ends the prompt within the last message: whatever the template prints after it is cut off. */
function cutAtMark(text: string): string {
  const at = text.lastIndexOf(MARK.trim());
  if (at < 0)
    throw new ChatTemplateError(
      "continue_final_message is set but the final message does not appear in the chat after applying the chat template",
    );
  return text.startsWith(MARK, at) ? text.slice(0, at) : text.slice(0, at).trimEnd();
}

function attempt<T>(work: () => T, prefix: string): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof ChatTemplateError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    // A fault inside the engine says nothing to whoever wrote the template.
    const why =
      cause instanceof TypeError ? `the template engine cannot do this: ${message}` : message;
    throw new ChatTemplateError(prefix + why, { cause });
  }
}

/**
 * The template of a model folder: `given` (a file, or the template itself), else
 * chat_template.jinja, else tokenizer_config.json's `chat_template` (text or a
 * list of named ones). Undefined when there is none. Throws ModelConfigError.
 */
export function findChatTemplate(
  folder: string | undefined,
  tokenizerConfig: Readonly<Record<string, unknown>>,
  given?: string,
): TemplateSource | undefined {
  const tokens = specialTokens(tokenizerConfig);
  const templates = given === undefined ? readTemplates(folder, tokenizerConfig) : readGiven(given);
  return templates && { templates, tokens };
}

function readGiven(given: string): Map<string, string> {
  if (isThere(given)) return new Map([["default", readText(given)]]);
  // A path has none of these; a template has at least one.
  if (/[{}\n]/.test(given)) return new Map([["default", given]]);
  throw new ModelConfigError(`chat template: no such file: ${given}`);
}

function readTemplates(
  folder: string | undefined,
  tokenizerConfig: Readonly<Record<string, unknown>>,
): Map<string, string> | undefined {
  const file = folder === undefined ? undefined : join(folder, "chat_template.jinja");
  if (folder !== undefined && file !== undefined && isThere(file)) {
    const named = new Map([["default", readText(file)]]);
    const more = join(folder, "additional_chat_templates");
    for (const name of existsSync(more) ? readdirSync(more) : [])
      if (name.endsWith(".jinja")) named.set(basename(name, ".jinja"), readText(join(more, name)));
    return named;
  }
  const inside = tokenizerConfig["chat_template"] ?? undefined;
  if (inside === undefined) return undefined;
  if (typeof inside === "string") return new Map([["default", inside]]);
  const named = new Map<string, string>();
  for (const entry of Array.isArray(inside) ? inside : [])
    if (
      isObject(entry) &&
      typeof entry["name"] === "string" &&
      typeof entry["template"] === "string"
    )
      named.set(entry["name"], entry["template"]);
  if (named.has("default")) return named;
  throw new ModelConfigError(
    `${join(folder ?? "", "tokenizer_config.json")}: "chat_template" must be a string or a list of {name, template} with a "default"`,
  );
}

/** `bos_token`, `eos_token` and the like, as text: a string or `{ content }` in the file. */
export function specialTokens(
  tokenizerConfig: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const [name, value] of Object.entries(tokenizerConfig)) {
    if (!name.endsWith("_token")) continue;
    const text = isObject(value) ? value["content"] : value;
    if (typeof text === "string") tokens[name] = text;
  }
  return tokens;
}
