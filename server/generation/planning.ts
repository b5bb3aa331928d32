/**
 * The planner of the server: reads tools, structured output and reasoning off a
 * request, compiles its grammar and chooses its parsers.
 */
import type { Constraint } from "../../engine/sequence.ts";
import type { Tokenizer } from "../../models/model.ts";
import type { Soon } from "../../models/soon.ts";
import { ThreadBudget } from "../grammar/budget.ts";
import { GrammarBuilder } from "../grammar/builder.ts";
import { ClosingConstraint, type WaysOut, waysOut } from "../grammar/closing.ts";
import { type CompiledGrammar, GrammarConstraint } from "../grammar/constraint.ts";
import { structuredSpec } from "../grammar/fields.ts";
import { GrammarError } from "../grammar/grammar.ts";
import { callHeader, HARMONY_MARKS, HarmonyCallConstraint } from "../grammar/harmony-call.ts";
import { KeptGrammars } from "../grammar/kept.ts";
import { type GrammarSpec, specText, type ToolSchema } from "../grammar/spec.ts";
import { ThinkingConstraint } from "../grammar/thinking.ts";
import { type TokenTexts, textsOf } from "../grammar/vocabulary.ts";
import { ThreadBusyError } from "../guarded-thread.ts";
import { ApiError, badRequest, notSampled } from "../http/errors.ts";
import type { OutputFields, OutputPlan, OutputPlanner } from "./planner.ts";
import { ThoughtCounter } from "./reasoning/count.ts";
import {
  REASONING_PARSERS,
  type ReasoningFormat,
  reasoningFormat,
  thinks,
} from "./reasoning/registry.ts";
import { splitterOf } from "./reasoning/splitter.ts";
import type { ReasoningSplitter } from "./reasoning/think.ts";
import { byName, finishReason, harmonyTools, toolReader, toolsSpec } from "./tool-plan.ts";
import { type ToolWish, toolWish } from "./tools/choice.ts";
import { createOutputParser, type ParserParts } from "./tools/output-parser.ts";
import { TOOL_PARSERS, toolFormat } from "./tools/registry.ts";

export interface PlannerOptions {
  /** Absent: ids only, and no structured output. */
  readonly tokenizer?: Tokenizer;
  /** Of the logits. */
  readonly vocabSize: number;
  /** False: ids are not drawn from logits, so no structured output either. */
  readonly samples: boolean;
  /** Ids that end an output. */
  readonly endIds: readonly number[];
  readonly toolParser?: string;
  readonly autoTools: boolean;
  readonly hideUnusedTools: boolean;
  readonly reasoningParser?: string;
  /** `--default-chat-template-kwargs`. */
  readonly templateDefaults: Readonly<Record<string, unknown>>;
  /** A named call is made as a required one, not as bare arguments; hermes does so anyway, as in vLLM. */
  readonly callsByName?: boolean;
  /** Output ids after which a grammar takes the shortest way out; absent: never. */
  readonly closeAfter?: number;
  /** Milliseconds that a grammar may take to compile. */
  readonly compileMs?: number;
}

/** Of most requests. */
const PLAIN_TEXT: OutputPlan = {};

/** Throws with the known names when a parser's name is unknown. */
export function createPlanner(options: PlannerOptions): OutputPlanner {
  const { toolParser, reasoningParser } = options;
  if (toolParser !== undefined && toolFormat(toolParser) === undefined) {
    throw new Error(
      `--tool-call-parser ${toolParser} is unknown; known are ${TOOL_PARSERS.join(", ")}.`,
    );
  }
  if (reasoningParser !== undefined && reasoningFormat(reasoningParser) === undefined) {
    throw new Error(
      `--reasoning-parser ${reasoningParser} is unknown; known are ${REASONING_PARSERS.join(", ")}.`,
    );
  }
  const paired = toolFormat(toolParser ?? "")?.reasoning;
  if (reasoningParser !== undefined || paired === undefined) return new Planner(options);
  return new Planner({ ...options, reasoningParser: paired });
}

class Planner implements OutputPlanner {
  readonly #options: PlannerOptions;
  readonly #builder: GrammarBuilder;
  readonly #grammars = new KeptGrammars();
  #waysOut: WaysOut | undefined;

  constructor(options: PlannerOptions) {
    this.#options = options;
    const limits = { timeLimitMs: options.compileMs ?? 2_000, quickMs: 500, maxWaiting: 64 };
    this.#builder = new GrammarBuilder(() => this.#words(), limits, new ThreadBudget());
  }

  plan(fields: OutputFields, kind: "chat" | "completion"): Soon<OutputPlan> {
    const plain = this.#options.reasoningParser === undefined && asksNothing(fields);
    return plain ? PLAIN_TEXT : this.#plan(fields, kind);
  }

  async #plan(fields: OutputFields, kind: "chat" | "completion"): Promise<OutputPlan> {
    const structured = structuredSpec(fields);
    const wish = kind === "chat" ? this.#wish(fields) : undefined;
    const thinking = kind === "chat" ? this.#thinking(fields) : undefined;
    if (structured && structured.field !== "response_format" && typeof wish?.choice === "object") {
      throw badRequest(
        "You can only either use constraints for structured outputs or tools, not both.",
      );
    }
    this.#checkToolSettings(wish);
    const { callsByName, toolParser } = this.#options;
    const held = callsByName || toolParser === "hermes" ? byName(wish) : wish;
    // Calls that must be made, or be right, come before any other constraint, as in vLLM.
    const tools = toolsSpec(held, this.#options.toolParser);
    const wanted = tools === undefined ? structured : { spec: tools, field: "tools" };
    const inner = wanted && (await this.#compile(wanted.spec, wanted.field));
    const forced = harmonyTools(wish, toolParser);
    const hold = forced
      ? await this.#holdsCall(fields, forced)
      : await this.#holds(fields, thinking, inner);
    const parsed = this.#parses(held, thinking?.format, fields);
    const variables = this.#variables(fields);
    const shown =
      wish === undefined || (wish.choice === "none" && this.#options.hideUnusedTools)
        ? undefined
        : wish.tools;
    const special =
      thinking?.format.special ||
      (parsed.tools && toolFormat(this.#options.toolParser ?? "")?.special);
    return {
      ...(shown !== undefined && { tools: shown }),
      ...(variables !== undefined && { templateVariables: variables }),
      ...(special && { skipSpecialTokens: false }),
      ...(parsed.parser !== undefined && { parser: parsed.parser }),
      ...(hold !== undefined && {
        constraints: async (count: number, prompt?: string) =>
          Array.from({ length: count }, () => hold(prompt)),
      }),
      ...(wish !== undefined && { finishReason: (output) => finishReason(wish, output) }),
    };
  }

  async close(): Promise<void> {
    await this.#builder.close();
  }

  /** A choice of null is "auto" where the server lets models choose, else "none". */
  #wish(fields: OutputFields): ToolWish | undefined {
    const none = fields.tool_choice === null && !this.#options.autoTools;
    return toolWish(none ? { ...fields, tool_choice: "none" } : fields);
  }

  #checkToolSettings(wish: ToolWish | undefined): void {
    const { toolParser, autoTools } = this.#options;
    if (wish?.choice === "auto" && !(autoTools && toolParser !== undefined)) {
      throw badRequest(
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
      );
    }
  }

  /** How reasoning goes in this request; undefined: there is none. */
  #thinking(fields: OutputFields): { readonly format: ReasoningFormat } | undefined {
    const format = reasoningFormat(this.#options.reasoningParser ?? "");
    if (format === undefined) return undefined;
    const variables = {
      ...this.#options.templateDefaults,
      ...fields.chat_template_kwargs,
      ...this.#variables(fields),
    };
    return thinks(format, variables) ? { format } : undefined;
  }

  /** reasoning_effort for the template; it turns thinking on or off where the request does not say. */
  #variables(fields: OutputFields): Readonly<Record<string, unknown>> | undefined {
    const { reasoning_effort: effort, chat_template_kwargs: given } = fields;
    if (effort === undefined || effort === null) return undefined;
    const silent = given?.["enable_thinking"] === undefined;
    return { reasoning_effort: effort, ...(silent && { enable_thinking: effort !== "none" }) };
  }

  /** A maker of constraints, one a choice. */
  async #holds(
    fields: OutputFields,
    thinking: { readonly format: ReasoningFormat } | undefined,
    inner: (() => Constraint) | undefined,
  ): Promise<((prompt: string | undefined) => Constraint) | undefined> {
    const { tokenizer } = this.#options;
    const budget = this.#budget(fields);
    if (thinking === undefined || (inner === undefined && budget === undefined)) return inner;
    const marker = await tokenizer?.encode(thinking.format.endMarker, { addSpecialTokens: false });
    if (marker === undefined) return inner;
    return (prompt) =>
      inner !== undefined && thoughtBefore(prompt, thinking.format)
        ? inner()
        : new ThinkingConstraint({
            endIds: [...marker],
            ...(budget !== undefined && { budget }),
            ...(inner !== undefined && { inner: inner() }),
          });
  }

  /** Of gpt-oss, one of whose calls must be made. */
  async #holdsCall(
    fields: OutputFields,
    tools: readonly ToolSchema[],
  ): Promise<(() => Constraint) | undefined> {
    const { tokenizer, endIds } = this.#options;
    const budget = this.#budget(fields);
    const ids = async (text: string): Promise<readonly number[]> => [
      ...((await tokenizer?.encode(text, { addSpecialTokens: false })) ?? []),
    ];
    const calls = await Promise.all(
      tools.map(async ({ name, parameters: schema }) => ({
        header: await ids(callHeader(name)),
        makeArguments: await this.#compile({ kind: "json", schema, compact: false }, "tools"),
      })),
    );
    const marks = {
      analysis: await ids(HARMONY_MARKS.analysis),
      end: await ids(HARMONY_MARKS.end),
      again: await ids(HARMONY_MARKS.again),
    };
    return () =>
      new HarmonyCallConstraint({
        ...marks,
        calls,
        endIds,
        ...(budget !== undefined && { budget }),
      });
  }

  /** `thinking_token_budget`; undefined: none. */
  #budget(fields: OutputFields): number | undefined {
    const asked = fields.thinking_token_budget;
    const budget = asked === undefined || asked === null || asked === -1 ? undefined : asked;
    if (budget !== undefined && budget < 0) {
      throw badRequest(
        "`thinking_token_budget` must be a non-negative integer or -1 for unlimited.",
        "thinking_token_budget",
        budget,
      );
    }
    if (
      budget !== undefined &&
      reasoningFormat(this.#options.reasoningParser ?? "") === undefined
    ) {
      throw badRequest(
        "thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser and/or --reasoning-config to use thinking_token_budget.",
      );
    }
    return budget;
  }

  /** Lets a grammar go on for so long only, where whoever speaks seldom finds its end. */
  #closing(held: Constraint, { vocabulary }: CompiledGrammar): Constraint {
    const { endIds, closeAfter } = this.#options;
    if (closeAfter === undefined) return held;
    this.#waysOut ??= waysOut(vocabulary, endIds);
    return new ClosingConstraint(held, this.#waysOut, closeAfter);
  }

  /** The parser of each choice, and whether it reads the model's own call format. */
  #parses(wish: ToolWish | undefined, format: ReasoningFormat | undefined, fields: OutputFields) {
    const { toolParser } = this.#options;
    const none = wish === undefined || wish.choice === "none";
    if (none && format === undefined) return { tools: false, parser: undefined };
    const read = none ? undefined : toolReader(wish, toolParser);
    const parser = (prompt: string | undefined) => {
      const thought = format && !thoughtBefore(prompt, format) ? format : undefined;
      return createOutputParser({
        reasoning: thought && this.#splitter(thought),
        counter: thought && this.#counter(thought),
        tools: read?.create(),
        maxCalls: wish?.maxCalls ?? Number.POSITIVE_INFINITY,
        showReasoning: fields.include_reasoning !== false,
      });
    };
    return { tools: read?.native ?? false, parser };
  }

  #splitter(format: ReasoningFormat): ParserParts["reasoning"] {
    return format.kind === "harmony" ? "harmony" : this.#thinkSplitter(format);
  }

  #thinkSplitter(format: ReasoningFormat): ReasoningSplitter {
    return splitterOf(format, toolFormat(this.#options.toolParser ?? "")?.opens);
  }

  #counter(format: ReasoningFormat): ThoughtCounter | undefined {
    const { tokenizer, endIds } = this.#options;
    const decoder = tokenizer?.decoder({ skipSpecial: false });
    if (format.kind === "harmony" || decoder === undefined) return undefined;
    return new ThoughtCounter(decoder, this.#thinkSplitter(format), { ...format, endIds });
  }

  /** A maker of constraints that hold one sequence to the grammar. */
  async #compile(spec: GrammarSpec, field: string): Promise<() => Constraint> {
    if (!this.#options.samples) throw notSampled(field);
    const { endIds } = this.#options;
    const refusal = (error: GrammarError) => invalid(error, spec, field);
    try {
      const grammar = await this.#grammars.get(specText(spec), () => this.#builder.build(spec));
      return () => this.#closing(new GrammarConstraint(grammar, endIds, refusal), grammar);
    } catch (error) {
      throw compileError(error, spec, field);
    }
  }

  #words(): TokenTexts {
    const { tokenizer, vocabSize } = this.#options;
    if (tokenizer === undefined)
      throw badRequest(
        "This model has no tokenizer: structured output needs one.",
        "structured_outputs",
      );
    return textsOf(tokenizer, vocabSize);
  }
}

/** No field that a plan depends on is given where no reasoning is parsed. */
function asksNothing(fields: OutputFields): boolean {
  const tools = fields.tools ?? fields.tool_choice ?? null;
  const format = fields.response_format ?? fields.structured_outputs ?? null;
  const json = fields.guided_json ?? fields.guided_json_object ?? null;
  const guided = fields.guided_regex ?? fields.guided_choice ?? fields.guided_grammar ?? null;
  const thought = fields.reasoning_effort ?? fields.thinking_token_budget ?? null;
  return (tools ?? format ?? json ?? guided ?? thought) === null;
}

/** The prompt ends the reasoning itself, as templates do where thinking is off. */
function thoughtBefore(prompt: string | undefined, { endMarker }: ReasoningFormat): boolean {
  return prompt?.trimEnd().endsWith(endMarker) ?? false;
}

const NAMES: Readonly<Record<GrammarSpec["kind"], string>> = {
  json: "JSON schema",
  object: "JSON schema",
  regex: "regular expression",
  choice: "choice",
  grammar: "grammar",
  tag: "structural tag",
  tools: "schema of a tool",
};

function compileError(error: unknown, spec: GrammarSpec, field: string): unknown {
  if (error instanceof GrammarError) return invalid(error, spec, field);
  if (error instanceof ThreadBusyError) {
    return new ApiError("overloaded", error.message, { retryAfterSeconds: 1, cause: error });
  }
  return error;
}

function invalid({ message }: GrammarError, spec: GrammarSpec, field: string): ApiError {
  // vLLM names a parameter of structural tags alone; the message has the field.
  const param = spec.kind === "tag" ? field.split(".")[0] : undefined;
  return badRequest(`Invalid ${NAMES[spec.kind]} in \`${field}\`: ${message}.`, param);
}
