/**
 * A row's words → a set-up that can be priced. The rules under read/ name no model; what they do not
 * understand is a reason, not a guess.
 */
import type { ConstantTable } from "../../../device/trainium/constants.ts";
import { ALL_PRINCIPLES, type Plan } from "../../../device/trainium/plan.ts";
import type { StackSpec } from "../../../device/trainium/stacks/stack.ts";
import type { Architecture } from "../../../models/architecture.ts";
import { type Draft, readDraft } from "./read/draft.ts";
import { readFormats } from "./read/formats.ts";
import { type Length, readLength } from "./read/lengths.ts";
import { type Load, readLoad, readSeats } from "./read/load.ts";
import { readMachine } from "./read/machine.ts";
import { type Notes, readNotes } from "./read/notes.ts";
import { stackOf, unlimited } from "./read/stack.ts";
import { drawsAsItSends } from "./read/tgi-history.ts";
import { Refusal, refuseUnread } from "./read/words.ts";
import type { Row } from "./rows.ts";

export interface SetUp {
  /** Rows of equal key share everything but the metric. */
  readonly key: string;
  readonly plan: Plan;
  /** Rows that the graph is compiled for. */
  readonly batch: number;
  /** Requests in flight, all replicas together, when a number is given. */
  readonly live: number | undefined;
  /** Is `live` the number of clients, not a mean in flight? */
  readonly clients: boolean;
  /** Requests of the whole run, when told. */
  readonly requests: number | undefined;
  readonly loop: "single" | "static" | "closed" | "open";
  /** Requests a second, of an open loop. */
  readonly rate: number | undefined;
  /** Is the open loop a sweep's, at the rate that the server itself answered? */
  readonly sweep: boolean;
  readonly replicas: number;
  readonly client: "guidellm" | "llmperf" | "burst" | "rounds";
  /** When it was measured, from the year on: servers change their schedulers. */
  readonly date: string;
  /** Tokens that the client counts for one of the model's. */
  readonly recount: number;
  /** Does the client draw each prompt as it sends it? */
  readonly drawn: boolean;
  /** TPOT is that of the step, whoever is live. */
  readonly stepAlone: boolean;
  /** Half-widths of the spread of lengths, tokens. */
  readonly spread: { readonly prompt: number; readonly output: number };
  readonly prompt: number | undefined;
  readonly output: number | undefined;
  /** Does an answer end with the prompt: an encoder, or a decoder that pools? */
  readonly pooled: boolean;
  /** Context that decode graphs are compiled for, when the row tells; else the bucket of prompt + output. */
  readonly compiled: number | undefined;
  /** Prompt bucket, when the row tells. */
  readonly bucket: number | undefined;
  /** Ranks that share a prompt's tokens; steps of one token are as without. */
  readonly contextParallel: number;
  readonly draft: Draft | undefined;
  readonly moe: boolean;
}

/**
 * Emulated data stops at EOS: tokens/s over requests/s of these tables is 0.87 to 0.97 of the nominal
 * output. TGI's is 0.70 of it, one stream alone too: it draws at temperature 1 where nothing is asked,
 * vLLM as the model's generation_config.json says (0.6 for Llama).
 */
export function emulatedShare(stack: StackSpec): number {
  return stack.name.startsWith("tgi") ? 0.7 : 0.92;
}

/**
 * Share of the answers that end by themselves, anywhere before: what explains guidellm's share above,
 * and what llmperf's tables lose in throughput against latency (its prompts ask not to end).
 */
export function endEarly({ client, plan }: Pick<SetUp, "client" | "plan">): number {
  if (client === "guidellm") return 2 * (1 - emulatedShare(plan.stack));
  return client === "llmperf" ? 0.1 : 0;
}

/** The set-up of a row of a model with a config, or the reason there is none. */
export function setUpOf(
  row: Row,
  architecture: Architecture,
  constants: ConstantTable,
): SetUp | string {
  try {
    return read(row, architecture, constants);
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

/** What each column of the row says; throws Refusal where a word of them is read by no rule. */
function readColumns(row: Row) {
  const [notes, noted] = readNotes(row.kernelNotes, row.notes);
  const [load, loadWords] = readLoad(row.concurrency);
  const [seats, seatWords] = readSeats(row.engineBatch);
  const [input, inputWords] = readLength("input_len", row.inputLength);
  const [output, outputWords] = readLength("output_len", row.outputLength);
  const [machine, machineWords] = readMachine(row);
  const [formats, formatWords] = readFormats(row.dtype, machine.instance.chip);
  const [draft, draftWords] = readDraft(row.speculation);
  const words = [loadWords, seatWords, inputWords, outputWords, formatWords, draftWords];
  refuseUnread([...noted, ...words, ...machineWords]);
  if ((notes.attentionDataParallel ?? 1) > 1)
    throw new Refusal("not modelled: attention data parallelism");
  if (notes.speculates && draft === undefined)
    throw new Refusal("speculation that spec_decode does not tell");
  return { notes, load, seats, input, output, machine, formats, draft };
}

function read(row: Row, architecture: Architecture, constants: ConstantTable): SetUp {
  const { notes, load, seats, input, output, machine, formats, draft } = readColumns(row);
  const clients = load.clients ?? notes.concurrency;
  const batch = Math.max(
    1,
    Math.ceil(seats.batch ?? notes.maxRows ?? clients ?? seatsFor(load) ?? load.requests ?? 1),
  );
  const stack = withRows(chunked(stackOf(row, architecture, batch), notes), seats.buckets);
  const lengths = ended(lengthsOf(input, output, notes), stack);
  const compiled = compiledContext(lengths.compiled, stack);
  const moe = architecture.layers.some((layer) => layer.ops.some((op) => op.op === "experts"));
  const plan: Plan = {
    architecture,
    instance: machine.instance,
    stack,
    constants,
    logicalCore: machine.logicalCore,
    tensorParallel: machine.ranks,
    expertParallel: moe ? (notes.expertParallel ?? 1) : 1,
    kernels: kernelsOf(stack, notes),
    formats: { ...formats, kv: notes.cache === "fp8" ? "fp8" : formats.kv },
    maxContext: contextOf(compiled, stack, lengths),
    maxRows: batch,
    maxTokens: Math.min(contextOf(compiled, stack, lengths), notes.longestPrompt ?? Infinity),
    asyncScheduling: notes.asynchronous ?? stack.asyncScheduling,
    onDeviceSampling: stack.onDeviceSampling && notes.sampling !== "cpu",
    principles: ALL_PRINCIPLES,
  };
  const client = clientOf(load, input, notes);
  return {
    key: keyOf(row, stack, client, compiled),
    plan,
    batch,
    ...loopOf(row, load, { clients, batch, client, stack, statical: notes.statical }),
    requests: load.requests ?? notes.requests,
    sweep: client === "guidellm" && load.swept,
    replicas: seats.replicas ?? notes.replicas ?? machine.replicas ?? 1,
    client,
    date: /20\d\d(-\d\d){0,2}/.exec(row.date)?.[0] ?? "2024",
    recount: client === "llmperf" && !notes.ownTokenizer ? recountOf(architecture) : 1,
    drawn: client === "llmperf" && drawsAsItSends(row),
    stepAlone: notes.stepAlone,
    spread: spreadOf(input, output, { client, notes, output: lengths.output ?? 0 }),
    prompt: lengths.prompt,
    output: lengths.output,
    pooled: lengths.output === 0,
    compiled,
    bucket: notes.bucket ?? input.bucket,
    contextParallel: notes.contextParallel ?? 1,
    draft,
    moe,
  };
}

interface Lengths {
  readonly prompt: number | undefined;
  readonly output: number | undefined;
  /** Is the answer's length that asked of emulated data, which may end before? */
  readonly emulated: boolean;
  readonly compiled: number | undefined;
  /** Tokens of the longest prompt and of the longest answer beyond those. */
  readonly beyond: number;
  /** Is the prompt one that fills what is compiled, its own length untold? */
  readonly filled: boolean;
}

/** Seats are compiled in powers of two: the one that holds a mean in flight, which is less than their number. */
function seatsFor({ inFlight }: Load): number | undefined {
  return inFlight === undefined ? undefined : powerAbove(inFlight);
}

/** A prompt whose length is untold fills its bucket, or the compiled sequence. */
function lengthsOf(input: Length, output: Length, notes: Notes): Lengths {
  const compiled = input.compiled ?? output.compiled ?? notes.compiled;
  const filled = input.tokens === undefined && input.vague === undefined;
  const prompt = input.tokens ?? (filled ? (input.bucket ?? input.compiled) : undefined);
  const rest =
    output.compiled !== undefined && prompt !== undefined ? output.compiled - prompt : undefined;
  const asked = output.tokens ?? (rest !== undefined && rest > 0 ? rest : undefined);
  return {
    prompt,
    output: asked,
    emulated: output.spread !== undefined,
    compiled,
    beyond: (input.setSpread ?? 0) + (output.setSpread ?? 0),
    filled: filled && prompt === compiled,
  };
}

/** Lengths as answers end, where they may end before. */
function ended(its: Lengths, stack: StackSpec): Lengths {
  if (!its.emulated || its.output === undefined) return its;
  return { ...its, output: Math.round(its.output * emulatedShare(stack)) };
}

function chunked(stack: StackSpec, { chunk }: Notes): StackSpec {
  if (chunk === undefined) return stack;
  if (!(chunk > 0)) throw new Refusal("chunks of an untold size");
  return { ...stack, maxSegment: chunk };
}

function withRows(stack: StackSpec, rows: readonly number[] | undefined): StackSpec {
  if (rows === undefined) return stack;
  return { ...stack, named: { ...stack.named, rows: [...rows].sort((a, b) => a - b) } };
}

/** Context that decode graphs are compiled for when the row tells none: the servers' scripts say 4,096. */
function compiledContext(told: number | undefined, stack: StackSpec): number | undefined {
  if (told !== undefined) return told;
  return stack.usualContext ?? (stack.contextBuckets === "compiled" ? 4096 : undefined);
}

/** No graph is compiled for less than the longest prompt and its answer. */
function contextOf(compiled: number | undefined, stack: StackSpec, its: Lengths): number {
  const needed = its.filled
    ? (its.prompt ?? 0)
    : (its.prompt ?? 512) + (its.output ?? 0) + its.beyond;
  if (compiled !== undefined && compiled >= (its.prompt === undefined ? 1 : needed))
    return compiled;
  return Math.max(stack.firstContextBucket, powerAbove(needed));
}

/** Kernels that the notes switch, beside the stack's own; `no NKI` and `no kernels` leave the flash kernel. */
function kernelsOf(stack: StackSpec, { on, off, none }: Notes): ReadonlySet<string> {
  if (none) return new Set(["flash-attention"]);
  return new Set([...stack.kernels, ...on].filter((kernel) => !off.has(kernel)));
}

function keyOf(
  row: Row,
  stack: StackSpec,
  client: SetUp["client"],
  compiled: number | undefined,
): string {
  return [
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
  ].join("|");
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
function clientOf(load: Load, input: Length, notes: Notes): SetUp["client"] {
  if (input.llmperf || notes.client === "llmperf") return "llmperf";
  if (notes.client === "guidellm" || notes.client === "burst") return notes.client;
  return input.spread !== undefined && load.requests === undefined ? "guidellm" : "rounds";
}

/**
 * Half-widths of uniform draws. guidellm 0.1.0 takes `+/-` as a variance (`1500 +/-150` deviates by
 * 12 tokens); llmperf's script names deviations of 150 and 20; served lengths vary a little.
 */
function spreadOf(
  input: Length,
  output: Length,
  its: { readonly client: SetUp["client"]; readonly notes: Notes; readonly output: number },
): SetUp["spread"] {
  const ofDeviation = (tokens: number): number => tokens * Math.sqrt(3);
  if (its.client === "llmperf") {
    const { deviation } = its.notes;
    return { prompt: ofDeviation(deviation ?? 150), output: ofDeviation(deviation ?? 20) };
  }
  if (its.client === "burst") return { prompt: 0, output: 0 };
  const of = (length: Length): number =>
    length.spread === undefined
      ? (length.setSpread ?? 0)
      : its.client === "guidellm"
        ? ofDeviation(Math.sqrt(length.spread))
        : length.spread;
  return { prompt: of(input), output: Math.max(of(output), 0.03 * its.output) };
}

function powerAbove(size: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, size)));
}

function loopOf(
  row: Row,
  load: Load,
  its: {
    readonly clients: number | undefined;
    readonly batch: number;
    readonly client: SetUp["client"];
    readonly stack: StackSpec;
    readonly statical: boolean;
  },
): Pick<SetUp, "loop" | "live" | "clients" | "rate"> {
  const { clients, batch, client, stack, statical } = its;
  const known = clients !== undefined;
  const live = clients ?? load.inFlight;
  if (load.loop === "open")
    return { loop: "open", live: undefined, clients: false, rate: load.rate };
  if (load.loop === "burst") {
    const sent = clients ?? unlimited(row, load.requests ?? live ?? batch);
    return { loop: "closed", live: sent, clients: true, rate: undefined };
  }
  if (load.loop === "closed") return { loop: "closed", live, clients: known, rate: undefined };
  // llmperf's waves of one count and draw like the others.
  if ((live ?? 1) <= 1 && client !== "llmperf")
    return { loop: "single", live: 1, clients: true, rate: undefined };
  const served =
    !statical &&
    (stack.name.startsWith("tgi") ||
      /vllm|guidellm|llmperf|no chunked prefill|concurren/i.test(
        `${row.kernelNotes} ${row.notes} ${row.source} ${row.inputLength} ${row.concurrency}`,
      ));
  const whole = !served && live === batch;
  return { loop: whole ? "static" : "closed", live, clients: known, rate: undefined };
}
