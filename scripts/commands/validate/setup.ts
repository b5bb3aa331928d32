/**
 * A row's words → a set-up that can be priced. Free text is read by a few rules
 * that name no model; what cannot be read is a reason, not a guess.
 */
import { readdirSync, readFileSync } from "node:fs";
import type { ConstantTable } from "../../../device/trainium/constants.ts";
import { findInstance, type InstanceSpec } from "../../../device/trainium/instances.ts";
import { ALL_PRINCIPLES, type Plan } from "../../../device/trainium/plan.ts";
import {
  nxdDirect,
  nxdInference,
  optimum,
  transformersNeuronx,
  vllmNeuron,
} from "../../../device/trainium/stacks/registry.ts";
import type { StackSpec } from "../../../device/trainium/stacks/stack.ts";
import type { Architecture } from "../../../models/architecture.ts";
import type { WeightFormat } from "../../../models/ops.ts";
import { describe } from "../../../models/registry.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import type { Row } from "./rows.ts";
import { drawsAsItSends, tgiOf } from "./tgi-history.ts";

const CATALOG = projectPath("models", "catalog");

const NAMES_SAY_NOTHING = new Set([
  "instruct",
  "hf",
  "chat",
  "base",
  "thinking",
  "thinker",
  "preview",
  "bf16",
  "fp8",
  "it",
  "meta",
]);

function plainName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[_\s/]+/g, "-")
    .split("-")
    .filter((part) => !NAMES_SAY_NOTHING.has(part) && !/^v0\.\d$|^\d{4}$/.test(part))
    .join("-");
}

const catalogue: readonly (readonly [string, string])[] = readdirSync(CATALOG)
  .filter((file) => file.endsWith(".json"))
  .map((file) => [plainName(file.replace(/^.*?--/, "").replace(/\.json$/, "")), file] as const);

const architectures = new Map<string, Architecture>();

/** The catalogue's architecture of a published name; undefined when it has none. */
export function findArchitecture(model: string): Architecture | undefined {
  const outside = plainName(model.replace(/\(.*?\)/g, "").trim());
  const inside = /\((.*?)\)/.exec(model)?.[1];
  const names = [outside, ...(inside === undefined ? [] : [plainName(inside)])];
  for (const name of names) {
    const exact = catalogue.find(([its]) => its === name);
    const begun = catalogue.filter(([its]) => its.startsWith(`${name}-`));
    const found = exact ?? (begun.length === 1 ? begun[0] : undefined);
    if (found === undefined || name === "") continue;
    const file = found[1];
    let architecture = architectures.get(file);
    if (architecture === undefined) {
      const config: unknown = JSON.parse(readFileSync(`${CATALOG}/${file}`, "utf8"));
      architecture = describe(config as Record<string, unknown>, file);
      architectures.set(file, architecture);
    }
    return architecture;
  }
  return undefined;
}

export interface SetUp {
  /** Rows of equal key share everything but the metric. */
  readonly key: string;
  readonly plan: Plan;
  /** Rows that the graph is compiled for. */
  readonly batch: number;
  /** Requests in flight per replica, when a number is given. */
  readonly live: number | undefined;
  readonly loop: "single" | "static" | "closed" | "open";
  /** Requests a second, of an open loop. */
  readonly rate: number | undefined;
  readonly replicas: number;
  readonly client: "guidellm" | "llmperf" | "burst" | "rounds";
  /** When it was measured, from the year on: servers change their schedulers. */
  readonly date: string;
  /** Tokens that the client counts for one of the model's. */
  readonly recount: number;
  /** Does the client draw each prompt as it sends it? */
  readonly drawn: boolean;
  /** Half-widths of the spread of lengths, tokens. */
  readonly spread: { readonly prompt: number; readonly output: number };
  readonly prompt: number | undefined;
  readonly output: number | undefined;
  /** Context that decode graphs are compiled for, when the row tells; else the bucket of prompt + output. */
  readonly compiled: number | undefined;
  /** Prompt bucket, when the row tells. */
  readonly bucket: number | undefined;
  /** Drafted tokens a step. */
  readonly drafted: number;
  readonly moe: boolean;
}

/** Emulated data stops at EOS: tokens/s × e2e of these tables is 0.87 to 0.97 of the nominal output. */
export const EMULATED_SHARE = 0.92;

/**
 * Share of the answers that end by themselves, anywhere before: what explains guidellm's share above,
 * and what llmperf's tables lose in throughput against latency (its prompts ask not to end).
 */
export const END_EARLY: Readonly<Partial<Record<SetUp["client"], number>>> = {
  guidellm: 2 * (1 - EMULATED_SHARE),
  llmperf: 0.1,
};

const number = (text: string): number | undefined => {
  const found = /[\d,.]+/.exec(text)?.[0].replace(/,/g, "");
  const value = Number(found ?? Number.NaN);
  return Number.isFinite(value) ? value : undefined;
};

/** The set-up of a row of a model with a config, or the reason there is none. */
export function setUpOf(
  row: Row,
  architecture: Architecture,
  constants: ConstantTable,
): SetUp | string {
  const instance = instanceOf(row);
  if (typeof instance === "string") return instance;
  const ranks = Number(row.tp);
  if (!Number.isInteger(ranks) || ranks < 1) return `tensor parallelism "${row.tp}" is no number`;
  const words = `${row.kernelNotes}; ${row.notes}; ${row.source}; ${row.inputLength}`;
  const chunk = number(/chunked prefill \((\d+)\)/.exec(words)?.[1] ?? "");
  const stack = {
    ...stackOf(row, words, architecture),
    ...(chunk !== undefined && { maxSegment: chunk }),
  };
  const moe = architecture.layers.some((layer) => layer.ops.some((op) => op.op === "experts"));
  const batch = Math.max(1, number(row.engineBatch) ?? number(row.concurrency) ?? 1);
  const prompt = /image|prompt|short/i.test(row.inputLength) ? undefined : number(row.inputLength);
  const asked = /seq_len/.test(row.outputLength) ? undefined : number(row.outputLength);
  const output =
    asked !== undefined && row.outputLength.includes("+/-")
      ? Math.round(asked * EMULATED_SHARE)
      : asked;
  const compiled = compiledContext(words, stack);
  const bucketed = /bucket (\d+)/.exec(row.kernelNotes)?.[1];
  const maxContext =
    (compiled ?? 0) >= (prompt ?? 0) && compiled !== undefined
      ? compiled
      : Math.max(stack.firstContextBucket, powerAbove((prompt ?? 512) + (output ?? 0)));
  const logicalCore = Number(row.lnc) || instance.chip.defaultLogicalCore;
  if (!instance.chip.logicalCores.includes(logicalCore)) return `LNC ${row.lnc} is not possible`;
  const kernels = kernelsOf(stack, row.kernelNotes);
  const expertGroups = Number(/EP=?(\d+)/.exec(row.kernelNotes)?.[1] ?? 1);
  const replicas = Number(/DP(\d+)/.exec(`${row.engineBatch} ${row.kernelNotes}`)?.[1] ?? 1);
  const speculation = Number(
    /K=(\d+)|(\d+) (?:speculative )?tokens?/.exec(row.speculation)?.slice(1).find(Boolean) ?? 0,
  );
  const plan: Plan = {
    architecture,
    instance,
    stack,
    constants,
    logicalCore,
    tensorParallel: ranks,
    expertParallel: moe ? expertGroups : 1,
    kernels,
    formats: formatsOf(row.dtype, instance),
    maxContext,
    maxRows: batch,
    maxTokens: maxContext,
    asyncScheduling: stack.asyncScheduling,
    onDeviceSampling: stack.onDeviceSampling && !/cpu.sampling/i.test(row.kernelNotes),
    principles: ALL_PRINCIPLES,
  };
  const { loop, live, rate } = loadOf(row, stack, words, batch);
  const client = clientOf(row);
  return {
    key: [
      row.model,
      row.instance,
      row.tp,
      row.lnc,
      row.dtype,
      row.kernelNotes,
      row.concurrency,
      row.engineBatch,
      row.inputLength,
      row.outputLength,
      row.speculation,
      stack.name,
      client,
      compiled ?? "",
    ].join("|"),
    plan,
    batch,
    live,
    loop,
    rate,
    replicas,
    client,
    date: /20\d\d(-\d\d){0,2}/.exec(row.date)?.[0] ?? "2024",
    recount: client === "llmperf" ? recountOf(architecture) : 1,
    drawn: client === "llmperf" && drawsAsItSends(row),
    spread: spreadOf(row, output ?? 0),
    prompt,
    output,
    compiled,
    bucket: bucketed === undefined ? undefined : Number(bucketed),
    drafted: row.speculation.startsWith("y") ? speculation : 0,
    moe,
  };
}

/**
 * llmperf counts answers, and draws prompts, with Llama 2's tokenizer, whatever the model's: on its
 * sonnets 1.19 of its tokens are one of a vocabulary of 128,256 (Llama 3) or 151,669 (Qwen), 1.02 to
 * 1.03 one of Mistral's 32,000 and 32,768.
 */
function recountOf({ vocabSize }: Architecture): number {
  return vocabSize > 100_000 ? 1.19 : 1;
}

/** Whose load it was: llmperf sends waves; the QKV tables queue their prompts at once. */
function clientOf(row: Row): SetUp["client"] {
  if (/guidellm/.test(row.notes)) return "guidellm";
  if (/llmperf/.test(`${row.inputLength} ${row.notes}`)) return "llmperf";
  return /queued batch-1 prefills/.test(row.notes) ? "burst" : "rounds";
}

/**
 * Half-widths of uniform draws. guidellm 0.1.0 takes `+/-` as a variance (`1500 +/-150` deviates by
 * 12 tokens); llmperf's script names deviations of 150 and 20; served lengths vary a little.
 */
function spreadOf(row: Row, output: number): SetUp["spread"] {
  const ofDeviation = (tokens: number): number => tokens * Math.sqrt(3);
  const variance = (text: string): number => number(/\+\/-\s*(\d+)/.exec(text)?.[1] ?? "") ?? 0;
  if (/llmperf/.test(row.inputLength)) return { prompt: ofDeviation(150), output: ofDeviation(20) };
  if (/queued batch-1 prefills/.test(row.notes)) return { prompt: 0, output: 0 };
  return {
    prompt: ofDeviation(Math.sqrt(variance(row.inputLength))),
    output: Math.max(ofDeviation(Math.sqrt(variance(row.outputLength))), 0.03 * output),
  };
}

function powerAbove(size: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, size)));
}

/** Context that the row says it was compiled for. */
function compiledContext(words: string, stack: StackSpec): number | undefined {
  const said =
    /n_positions\)? ?(\d+)/.exec(words) ??
    /max[_-]model[_-]len ?(\d+)/.exec(words) ??
    /seq_len ?(\d+)/.exec(words);
  if (said !== null) return Number(said[1]);
  return stack.contextBuckets === "compiled" || stack.maxSegment === 1024 ? 4096 : undefined;
}

function instanceOf(row: Row): InstanceSpec | string {
  const words = row.instance.toLowerCase();
  const named = /(inf2|trn1n?|trn2u?|trn3)\.\w+/.exec(words)?.[0];
  const ranks = Number(row.tp) || 1;
  try {
    if (named !== undefined) return findInstance(named);
    if (/trn1\/trn2|vs/.test(words)) return `instance "${row.instance}" is not one machine`;
    if (words.startsWith("trn2")) return findInstance(ranks > 4 ? "trn2.48xlarge" : "trn2.3xlarge");
    if (words.startsWith("trn3")) return findInstance("trn3-gen1-ultraserver");
    if (words.startsWith("trn1")) return findInstance("trn1.32xlarge");
    if (words.startsWith("inf2")) return findInstance("inf2.48xlarge");
  } catch {
    return `instance "${row.instance}" is not known`;
  }
  return `instance "${row.instance}" is not known`;
}

function stackOf(row: Row, words: string, { family }: Architecture): StackSpec {
  if (/transformers-neuronx/i.test(`${row.kernelNotes} ${row.source}`)) return transformersNeuronx;
  if (/\btgi\b|text-generation-inference/i.test(words)) return tgiOf(row, family);
  if (/optimum/i.test(words)) return optimum;
  if (/vllm-neuron plugin|vllm-neuron\/docs/i.test(words)) return vllmNeuron;
  // Tables with both lengths come from vLLM's benchmark; the others from the model's own scripts.
  return /vllm/i.test(`${row.kernelNotes} ${row.notes}`) || row.outputLength !== ""
    ? nxdInference
    : nxdDirect;
}

/** Kernels that the notes switch on, beside the stack's own; `no NKI` and `no kernels` leave none. */
function kernelsOf(stack: StackSpec, notes: string): ReadonlySet<string> {
  if (/no nki|no kernels/i.test(notes)) return new Set(["flash-attention"]);
  const kernels = new Set(stack.kernels);
  if (/fused (tkg )?attention|attention.?block/i.test(notes)) kernels.add("fused-attention");
  if (/qkv nki|qkv kernel|fused qkv/i.test(notes)) kernels.add("fused-qkv");
  if (/fused moe/i.test(notes)) kernels.add("fused-moe");
  if (/fused mlp|mlp kernel/i.test(notes) && !/no .*mlp/i.test(notes)) kernels.add("fused-mlp");
  return kernels;
}

function formatsOf(dtype: string, instance: InstanceSpec): Plan["formats"] {
  const words = dtype.toLowerCase();
  const dequantised = /dequanti[sz]ed/.test(words);
  const found: WeightFormat = dequantised
    ? "bf16"
    : words.includes("mxfp4") && instance.chip.tensorRate.mxfp4 !== undefined
      ? "mxfp4"
      : /fp8|f8/.test(words)
        ? "fp8"
        : words.includes("int8")
          ? "int8"
          : words === "fp32"
            ? "f32"
            : "bf16";
  const expertsOnly = /bf16 attention|experts|moe/.test(words) || found === "mxfp4";
  return { dense: expertsOnly ? "bf16" : found, experts: found, kv: "bf16" };
}

function loadOf(
  row: Row,
  stack: StackSpec,
  words: string,
  batch: number,
): {
  readonly loop: SetUp["loop"];
  readonly live: number | undefined;
  readonly rate: number | undefined;
} {
  const said = row.concurrency;
  const rate = /([\d.]+) req\/sec/.exec(said)?.[1];
  if (/open loop/.test(said)) return { loop: "open", live: undefined, rate: Number(rate) };
  if (/closed loop/.test(said)) {
    // "in flight" is the mean by Little's law: so many clients keep asking.
    return {
      loop: "closed",
      live: number(/in flight ([\d.]+)/.exec(said)?.[1] ?? ""),
      rate: undefined,
    };
  }
  const live = number(said);
  // llmperf's waves of one count and draw like the others.
  if ((live === undefined || live <= 1) && clientOf(row) !== "llmperf")
    return { loop: "single", live: 1, rate: undefined };
  const served =
    stack.name.startsWith("tgi") ||
    /vllm|guidellm|llmperf|no chunked prefill|concurren/i.test(words);
  return { loop: served ? "closed" : live === batch ? "static" : "closed", live, rate: undefined };
}
