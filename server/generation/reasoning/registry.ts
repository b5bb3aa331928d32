/** Reasoning formats by the names of `--reasoning-parser`. A new format is one line here. */

/** Marks of a thought in running text. */
export interface ThoughtMarks {
  readonly open: readonly string[];
  readonly close: readonly string[];
  /** The text begins inside the thought: its opening mark may be in the prompt. */
  readonly begun: boolean;
  /** An opening mark in the answer begins a thought again. */
  readonly reopens?: boolean;
  /** Blanks at the end of a thought are none of it. */
  readonly trims?: boolean;
}

export interface ReasoningFormat {
  /** `tagged`: as vLLM's parser engine reads marks; `think`: as its older parsers do. */
  readonly kind: "think" | "tagged" | "harmony";
  readonly marks: ThoughtMarks;
  /** Text after which the answer begins: a grammar holds from there on. */
  readonly endMarker: string;
  /** The template's variables that turn thinking on and off. */
  readonly switches?: readonly string[];
  /** Without such a variable there is no thinking. */
  readonly usuallyOff?: boolean;
  /** Marks that end a thought where a call begins inside it, whoever reads the calls. */
  readonly calls?: readonly string[];
  /** Its marks are special tokens, which must therefore stay in the text. */
  readonly special?: boolean;
}

type Extra = Pick<ReasoningFormat, "switches" | "usuallyOff" | "special" | "calls">;

/** A thought in a pair of tags, from the beginning on. */
function tags(name: string, extra: Extra = {}): ReasoningFormat {
  const close = `</${name}>`;
  return {
    kind: "think",
    marks: { open: [`<${name}>`], close: [close], begun: true },
    endMarker: close,
    ...extra,
  };
}

/** The same, by vLLM's parser engine: whoever reads the calls, one that begins ends the thought. */
function engine(
  name: string,
  call: string,
  more: Pick<ThoughtMarks, "reopens" | "trims">,
  extra: Extra = {},
): ReasoningFormat {
  const { marks, endMarker } = tags(name);
  return { kind: "tagged", marks: { ...marks, ...more }, endMarker, calls: [call], ...extra };
}

const EITHER = ["enable_thinking", "thinking"] as const;

const DSML = "｜DSML｜";
const deepseekV4 = (call: string): ReasoningFormat =>
  engine("think", call, { reopens: true, trims: true }, { switches: EITHER });

const GLM = engine("think", "<tool_call>", { reopens: true, trims: true }, { switches: EITHER });

const FORMATS: Readonly<Record<string, ReasoningFormat>> = {
  deepseek_r1: tags("think"),
  deepseek_v3: tags("think", { switches: EITHER, usuallyOff: true }),
  deepseek_v31: tags("think", { switches: EITHER, usuallyOff: true }),
  deepseek_v4: deepseekV4(`<${DSML}tool_calls>`),
  deepseek_v41: deepseekV4(`<${DSML} calls>`),
  glm45: GLM,
  glm47: GLM,
  granite: {
    kind: "think",
    marks: {
      open: ["Here is my thought process:", "Here's my thought process:"],
      close: ["Here is my response:", "Here's my response:"],
      begun: false,
    },
    endMarker: "Here is my response:",
  },
  holo2: tags("think", { switches: EITHER }),
  kimi_k2: engine("think", "<|tool_calls_section_begin|>", { trims: true }, { switches: EITHER }),
  ling3: GLM,
  mimo: engine("think", "<tool_call>", {}, { switches: ["enable_thinking"] }),
  minimax_m2: engine("think", "<minimax:tool_call>", { trims: true }),
  mistral: {
    kind: "tagged",
    marks: { open: ["[THINK]"], close: ["[/THINK]"], begun: false, reopens: true, trims: true },
    endMarker: "[/THINK]",
    calls: ["[TOOL_CALLS]"],
    special: true,
  },
  nemotron_v3: engine("think", "<tool_call>", { trims: true }, { switches: ["enable_thinking"] }),
  openai_gptoss: {
    kind: "harmony",
    marks: { open: [], close: [], begun: true },
    endMarker: "<|channel|>final<|message|>",
    special: true,
  },
  plamo3: {
    kind: "tagged",
    marks: {
      open: ["<|plamo:begin_think:plamo|>"],
      close: ["<|plamo:end_think:plamo|>"],
      begun: true,
      reopens: true,
    },
    endMarker: "<|plamo:end_think:plamo|>",
    switches: ["enable_thinking"],
    calls: ["<|plamo:begin_tool_requests:plamo|>"],
    special: true,
  },
  poolside_v1: tags("think", { switches: EITHER, usuallyOff: true }),
  qwen3: engine("think", "<tool_call>", {}, { switches: ["enable_thinking"] }),
  seed_oss: engine("seed:think", "<seed:tool_call>", {}, { switches: ["enable_thinking"] }),
  step3: { ...tags("think"), marks: { open: [], close: ["</think>"], begun: true } },
  step3p5: engine("think", "<tool_call>", { trims: true }),
};

export const REASONING_PARSERS: readonly string[] = Object.keys(FORMATS).sort();

export function reasoningFormat(name: string): ReasoningFormat | undefined {
  return Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
}

/** Does a request with these variables of the template think? */
export function thinks(
  { switches = [], usuallyOff = false }: ReasoningFormat,
  variables: Readonly<Record<string, unknown>>,
): boolean {
  const given = switches.map((name) => variables[name]).filter((value) => value !== undefined);
  return given.length === 0 ? !usuallyOff : given.some((value) => Boolean(value));
}
