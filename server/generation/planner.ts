/**
 * The seam for tools, structured output and reasoning. Before a prompt is
 * rendered the planner reads the request's fields and says what they change: what
 * the chat template sees, how output text is parsed, what the sampler may draw.
 * Routes know only the plan.
 */
import type { Constraint } from "../../engine/sequence.ts";
import type { Soon } from "../../models/soon.ts";
import type { ConstraintFields } from "../grammar/fields.ts";
import type { OutputParser } from "./parser.ts";

/** The fields a plan depends on; shapes are checked by the route's schema, meanings by the planner. */
export interface OutputFields extends ConstraintFields {
  readonly tools?: readonly unknown[] | null;
  readonly tool_choice?: unknown;
  readonly parallel_tool_calls?: boolean | null;
  readonly include_reasoning?: boolean | null;
  readonly reasoning_effort?: string | null;
  readonly thinking_token_budget?: number | null;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
}

/** What of a finished output decides its `finish_reason` on the wire. */
export interface FinishedOutput {
  /** As the engine said it. */
  readonly reason: string;
  /** Tool calls the parser gave. */
  readonly toolCalls: number;
  readonly streamed: boolean;
}

/** Every member is optional; the empty plan is plain text. */
export interface OutputPlan {
  /** Tools as the chat template shall see them; absent: none. */
  readonly tools?: readonly unknown[];
  /** Variables for the chat template, over the request's `chat_template_kwargs`. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /** False: special tokens stay in the text for the parser to see; absent: as the request says. */
  readonly skipSpecialTokens?: boolean;
  /** A parser for one choice; `prompt` is the rendered prompt's text where there is one. Absent: plain content. */
  readonly parser?: (prompt: string | undefined) => OutputParser;
  /** One constraint a choice, compiled before the engine sees the request; `prompt` as for the parser. */
  readonly constraints?: (count: number, prompt?: string) => Promise<readonly Constraint[]>;
  /** `finish_reason` on the wire; absent: the engine's. */
  readonly finishReason?: (output: FinishedOutput) => string;
}

export interface OutputPlanner {
  /** Throws ApiError 400 naming the field. */
  plan(fields: OutputFields, kind: "chat" | "completion"): Soon<OutputPlan>;
  close(): Promise<void>;
}
