/**
 * `kernel_notes` and `notes` → kernels, degrees, buckets and clients that they name. Every word of
 * `kernel_notes` must be understood. `notes` is prose: of it, whatever has the form of a setting.
 */
import type { WeightFormat } from "../../../../models/ops.ts";
import { kernelsOf, listsKernels } from "./kernel-names.ts";
import { COUNT, countOf, Refusal, Words } from "./words.ts";

export interface Notes {
  readonly on: ReadonlySet<string>;
  readonly off: ReadonlySet<string>;
  /** "no kernels": none but what every graph has. */
  readonly none: boolean;
  readonly expertParallel: number | undefined;
  readonly contextParallel: number | undefined;
  readonly attentionDataParallel: number | undefined;
  readonly replicas: number | undefined;
  readonly tensorParallel: number | undefined;
  readonly concurrency: number | undefined;
  readonly requests: number | undefined;
  readonly sampling: "cpu" | "device" | undefined;
  /** Tokens of a chunk; Number.NaN: chunked, by a size that is not told. */
  readonly chunk: number | undefined;
  readonly asynchronous: boolean | undefined;
  readonly compiled: number | undefined;
  readonly bucket: number | undefined;
  readonly maxRows: number | undefined;
  readonly cache: WeightFormat | undefined;
  readonly statical: boolean;
  /** Tokens of the longest prompt bucket. */
  readonly longestPrompt: number | undefined;
  /** Speculation is named. */
  readonly speculates: boolean;
  /** Tokens are counted by the model's own tokenizer. */
  readonly ownTokenizer: boolean;
  /** Standard deviation of the lengths, when told. */
  readonly deviation: number | undefined;
  /** TPOT is told to be that of the step, whoever is live. */
  readonly stepAlone: boolean;
  readonly client: "guidellm" | "llmperf" | "burst" | "vllm-bench" | undefined;
}

type Draft = { -readonly [Key in keyof Notes]: Notes[Key] } & { on: Set<string>; off: Set<string> };

type Rule = (words: Words, its: Draft) => void;

const number = String.raw`\s*[=:(]?\s*(${COUNT})\)?`;
const degree = (names: string): RegExp =>
  new RegExp(String.raw`\b(?:${names})(?:[\s_-]*(?:degree|size|ranks?))?\s*[=:-]?\s*(\d+)\b`, "i");

/** Sets a number that a pattern finds, if it finds one. */
const numbered =
  (
    key:
      | "compiled"
      | "bucket"
      | "maxRows"
      | "concurrency"
      | "requests"
      | "replicas"
      | "tensorParallel"
      | "expertParallel"
      | "contextParallel"
      | "attentionDataParallel",
    pattern: RegExp,
  ): Rule =>
  (words, its) => {
    for (let value = words.count(pattern); value !== undefined; value = words.count(pattern))
      its[key] ??= value;
  };

/** What a stack may do that no graph here does: refused unless said to be off. */
const UNMODELLED: readonly (readonly [RegExp, string])[] = [
  [/\b(?:automatic[\s_-]*)?prefix[\s_-]*cach\w*|\bapc\b/i, "prefix caching"],
  [/\bmulti[\s_-]*lora\b|\blora\w*(?:\s+adapters?)?/i, "LoRA adapters"],
  [/\bdisaggregat\w*|\b\d+p\d+d\b/i, "disaggregated serving"],
  [/\bflash[\s_-]*decod\w*/i, "flash decoding"],
  [/\bpipeline[\s_-]*parallel\w*|\bpp\s*[=:]?\s*\d+/i, "pipeline parallelism"],
  [/\bdecode[\s_-]*context[\s_-]*parallel\w*|\bdcp\b\s*[=:]?\s*\d*/i, "decode context parallelism"],
  [/\bmega[\s_-]*kernels?/i, "the megakernel"],
  [/\bspars(?:e|ity)\b[\s_-]*(?:attention)?/i, "sparsity"],
];

const negated = (phrase: string): RegExp =>
  new RegExp(
    String.raw`(?:\b(?:no|without|w/o|disabled?|non)\b[\s:=-]*(?:${phrase}))|(?:(?:${phrase})[\s:=_-]*\b(?:off|disabled|false)\b)`,
    "i",
  );

const unmodelled: Rule = (words) => {
  for (const [pattern, name] of UNMODELLED) {
    words.takes(negated(pattern.source));
    if (words.has(pattern)) throw new Refusal(`not modelled: ${name}`);
  }
};

const chunks: Rule = (words, its) => {
  words.takes(/\bno chunked[\s_-]*prefill(?:: prefill preempts decode)?\b/i);
  words.takes(negated(String.raw`chunked[\s_-]*prefill`));
  const pattern = new RegExp(
    String.raw`\b(?:chunked|segmented)[\s_-]*(?:prefill|context)\w*(?:\s*\(?\s*(${COUNT})(?:\s*tokens?)?\)?)?`,
    "i",
  );
  for (let found = words.take(pattern); found !== undefined; found = words.take(pattern))
    its.chunk ??= countOf(found[1]);
  its.chunk ??= words.count(new RegExp(String.raw`\bsegments?\s*(?:of|size)?${number}`, "i"));
};

const sampling: Rule = (words, its) => {
  words.takes(/\bcpu[\s_-]*sampling delta\b/i); // a comparison with another table
  if (
    words.takes(
      /\bcpu[\s_-]*sampling\b|\bsampling on (?:the )?cpu\b|\b(?:no|without) on[\s_-]*device[\s_-]*sampling\b/i,
    )
  )
    its.sampling ??= "cpu";
  if (words.takes(/\bon[\s_-]*device[\s_-]*sampling\b(?: for decode only)?|\bods\b/i))
    its.sampling ??= "device";
  words.takes(
    /\bgreedy\b|\btemperature\s*[=:]?\s*[\d.]+|\btop[_ ]p\s*[=:]?\s*[\d.]+|\bignore[_ -]eos\b/i,
  );
};

const asynchronous: Rule = (words, its) => {
  if (
    words.takes(/\b(?:no|without) async(?:hronous)?(?:[\s_-]*(?:mode|scheduling|execution))?\b/i) ||
    words.takes(
      /\basync(?:hronous)?(?:[\s_-]*(?:mode|scheduling|execution))?[\s:=]*(?:off|disabled|false)\b/i,
    ) ||
    words.takes(/\bsync(?:hronous)?[\s_-]*(?:mode|scheduling|execution)\b/i)
  )
    its.asynchronous = false;
  if (
    words.takes(
      /\basync(?:hronous)?(?:[\s_-]*(?:mode|scheduling|execution))?(?:[\s:=]*(?:on|enabled|true))?\b/i,
    )
  )
    its.asynchronous ??= true;
};

const clients: Rule = (words, its) => {
  if (
    words.takes(
      /\bguide-?llm(?:\s+[\d.]+)?(?:\s+emulated data)?(?:;? repeated runs kept as separate rows)?/i,
    )
  )
    its.client = "guidellm";
  if (words.takes(/\bllm-?perf(?:-style)?(?:\s+client)?\b/i)) its.client = "llmperf";
  if (
    words.takes(
      /\bvllm bench(?:mark)?(?:[\s_-]*serv(?:e|ing))?\b(?:\s+\w+ data\s?set)?|\bbenchmark_serving(?:\.py)?/i,
    )
  )
    its.client ??= "vllm-bench";
  if (words.takes(/\b(?:client )?counts with the model's own tokenizer\b/i))
    its.ownTokenizer = true;
  its.deviation ??= words.count(/\b(?:standard )?deviation\s*[=:]?\s*(\d+)\b/i);
  if (words.takes(/\bTTFT grows with queued batch-1 prefills\b/i)) its.client = "burst";
  if (words.takes(/\bTPOT does not depend on live concurrency(?:\s*\(fixed-shape NEFF\))?/i))
    its.stepAlone = true;
};

/** Who drafts is told by `spec_decode`; here it is only named. */
const speculation: Rule = (words, its) => {
  words.takes(negated(String.raw`speculat\w*(?:\s+decoding)?|drafts?`));
  if (
    words.takes(
      /\b(?:fused\s+)?speculat\w*(?:\s+decoding)?\b|\b(?:p-)?eagle[\s-]?[123]?\b|\bmedusa\b/i,
    )
  )
    its.speculates = true;
};

const degrees: readonly Rule[] = [
  numbered(
    "attentionDataParallel",
    degree(String.raw`attention[\s_-]*(?:dp|data[\s_-]*parallel\w*)|attn[\s_-]*dp|adp`),
  ),
  numbered("expertParallel", degree(String.raw`(?:moe[\s_-]*)?(?:ep|expert[\s_-]*parallel\w*)`)),
  (words) => void words.takes(degree(String.raw`moe[\s_-]*tp`)),
  numbered("contextParallel", degree(String.raw`cp|context[\s_-]*parallel\w*`)),
  numbered("replicas", degree(String.raw`dp|data[\s_-]*parallel\w*`)),
  numbered("replicas", /\b(\d+)\s*(?:replicas?|engines?|servers?)\b/i),
  numbered("tensorParallel", degree(String.raw`tp|tensor[\s_-]*parallel\w*`)),
];

/** `sl1024-dp1-tp8-c32-t200` of result files. */
const label: Rule = (words, its) => {
  const found = words.take(
    /\b(?:sl|isl|osl|dp|tp|ep|bs|c|t)\d+(?:[-_](?:sl|isl|osl|dp|tp|ep|bs|c|t)\d+)+\b/i,
  );
  for (const [, name = "", value] of (found?.[0] ?? "").matchAll(/([a-z]+)(\d+)/gi)) {
    const count = Number(value);
    if (/^sl$/i.test(name)) its.compiled ??= count;
    if (/^dp$/i.test(name)) its.replicas ??= count;
    if (/^tp$/i.test(name)) its.tensorParallel ??= count;
    if (/^ep$/i.test(name)) its.expertParallel ??= count;
    if (/^c$/i.test(name)) its.concurrency ??= count;
  }
};

const SETTINGS: readonly Rule[] = [
  label,
  clients,
  unmodelled,
  chunks,
  sampling,
  asynchronous,
  (words, its) => {
    const found = words.take(/\bpadded batch-(\d+) x (\d+) prefill\b/i);
    if (found !== undefined) its.compiled ??= Number(found[2]);
  },
  numbered(
    "compiled",
    new RegExp(String.raw`\bcompiled sequence length \(n_positions\)\s*(${COUNT})`, "i"),
  ),
  numbered(
    "compiled",
    new RegExp(String.raw`\b(?:max[\s_-]*)?n_positions\s*[=:]?\s*(${COUNT})`, "i"),
  ),
  numbered("compiled", new RegExp(String.raw`\bmax[\s_-]*model[\s_-]*len(?:gth)?${number}`, "i")),
  numbered(
    "compiled",
    new RegExp(String.raw`\bseq(?:uence)?[\s_-]*len(?:gth)?\s*[=:]?\s*(${COUNT})`, "i"),
  ),
  (words, its) => {
    const told = words.count(
      new RegExp(String.raw`\bmax(?:imum)?[\s_-]*context(?:[\s_-]*len(?:gth)?)?${number}`, "i"),
    );
    // Beside a sequence length it is NxD's max_context_length: the longest prompt bucket.
    if (its.compiled === undefined) its.compiled = told;
    else its.longestPrompt ??= told;
  },
  numbered("compiled", new RegExp(String.raw`\bcompiled (?:for|at|with)\s*(${COUNT})`, "i")),
  (words) =>
    void words.takes(
      new RegExp(String.raw`\b(?:${COUNT})\s*(?:new|output|generated) tokens\b`, "i"),
    ),
  speculation,
  numbered("maxRows", /\bbatch(?:[\s_-]*size)?\s*[=:]?\s*(\d+)\b(?! x)/i),
  numbered("maxRows", /\bmax[\s_-]*num[\s_-]*seqs?\s*[=:]?\s*(\d+)/i),
  numbered(
    "concurrency",
    /\bmax[\s_-]*concurrency\s*[=:]?\s*(\d+)|\bconcurrency\s*[=:]?\s*(\d+)|\b(\d+) concurrent\b/i,
  ),
  numbered("requests", /\b(\d+) (?:prompts|requests)\b/i),
  numbered("bucket", new RegExp(String.raw`\bpadded to the (${COUNT})(?: token)? bucket`, "i")),
  numbered(
    "bucket",
    new RegExp(String.raw`\b(?:prefill|prompt|context[\s_-]*encoding|cte) buckets?${number}`, "i"),
  ),
  (words, its) => {
    if (
      words.takes(
        /\b(?:fp8|f8e4m3)[\s_-]*kv(?:[\s_-]*cache)?|\bkv[\s_-]*cache[\s_-]*(?:quant\w*\s*)?(?:in |=|:)?\s*(?:fp8|f8e4m3)\b|\bkv[\s_-]*(?:fp8|quant\w*)\b/i,
      )
    )
      its.cache = "fp8";
    words.takes(/\b(?:bf16|fp16)[\s_-]*kv(?:[\s_-]*cache)?/i);
  },
  (words, its) => {
    if (words.takes(/\bstatic[\s_-]*batch(?:ing)?\b|\bTTFT is prefill of the whole batch\b/i))
      its.statical = true;
  },
  ...degrees,
];

/** Words of `kernel_notes` that name the software, the model or the run, which other rules know. */
const KNOWN: readonly RegExp[] = [
  /\b[a-z]+[\s-]?\d+x\d+b\b|\b(?:inf2|trn[123][nu]?)\.\w+/i, // models and instances named again
  /\b(?:(?:swa|sliding[\s-]window)(?:\s+\d+)?|(?:\d+\s+)?(?:mla|gqa|mha|full|gated|sliding|linear|global|local)(?:\s+attention)?)\b/i,
  /\b(?:selective|all)?\s*experts?\s+load(?:ing|ed)\b|\bselective\b|\bmulti[\s-]step scheduling\b|\bkv[\s_-]?cache replicated\b|\bkv heads? replicated\b|\bweights? resharded\b/i,
  /\btorch\.compile\b|\b(?:xla|native|torch) backend\b|\bbucketing\b(?! off)|\bneff duration\b|\bdevice time\b/i,
  /\b(?:warm|cold|hot|optimi[sz]ed|experimental|large|small|long|short|max|port|ported|hybrid|ep|tp|dp|decoding|caches?|start|multi|first|vision encoder off|block-?wise)\b/i,
  /\btransformers-neuronx\b|\btgi\b(?:\s+batch size \d+)?|\btext[\s-]generation[\s-]inference\b/i,
  /\boptimum(?:[\s-](?:neuron|cli))?\b(?:\s+(?:serve|nxd path|path))*|\bnxdi?\b(?:\s+(?:inference|direct|path|baseline))*|\bneuronx[\s_-]distributed[\s_-]inference\b|\bnkipy(?:[\s_-]serving)?\b/i,
  /\bvllm(?:[\s_-]neuron)?(?:\s+plug-?in)?\b(?:\s+(?:serving|server|v[01]|v?\d[\d.]*))?|\btorch[\s_-]neuronx\b|\bhlo backend\b/i,
  /\b(?:sdk|neuroncc|neuronx-cc|nxdi|guidellm|torch|release|version)\s*v?\d[\d.+]*/i,
  /\bneuron-profile capture of the compiled NEFF\b|\bcontext encoding\b|\btoken generation\b/i,
  /\bencoder forward\b|\brun mode\b\s*\w*\s*parallel|\bencoder-decoder\b/i,
  /\bbehind nginx\b|\bround[\s-]robin\b|\b(?:one|two|three|four|five|\d+) runs?\b|\brun \d+\b/i,
  /\b[\w.]*[A-Za-z][\w.]*-\d+(?:\.\d+)?[Bb](?:-[\w.]+)*\b/, // a model's name
  /\b(?:\d+\s+)?(?:deltanet|gqa|mla|mha|mqa|mamba2?|sliding|full|dense|moe|layers?|experts?|shared(?:\s+experts?)?|heads?)\b/i,
  /\btop-?\s?\d+\b|\bone LNC ?\d core\b|\blnc\s*[=-]?\s*\d\b/i,
  /\b(?:standard|reference|batched|baseline|default|contest|unmodified|model|code|historical|recipe|earlier|later|old|new|first|second|final|configuration|config|setup|sweep|request|token|tokens|bucket|buckets|untuned|tuned|decode|prefill|prompt|text|steady[\s-]state|single|stream|serving|offline|online|greedy|scripts?|own|benchmark|latency|throughput|mode|path|batch(?:ing)?|continuous|paged|block|kv|layout|sequence|sp|parallel|enabled|on|run|runs|cli|serve|size|implementation)\b/i,
];

/** A figure told in passing: `median ~58 ms`, `-16 %`, `2.4x`. */
const RESULT =
  /[~≈<>+-]?\d[\d.,]*\s*(?:-\s*\d[\d.,]*\s*)?(?:ms|us|µs|ns|s|tok(?:ens)?\/s|req\/s|%|GB\/s|TFLOPS?|GiB|GB)(?![\w-])|\d(?:\.\d+)?x(?![\w-])/i;

/** Words of prose that, with a value, are a setting. */
const SETTING =
  /\b(?:batch(?:[\s_-]*size)?|bs|seq(?:uence)?[\s_-]*len\w*|n_positions|max[\s_-]*(?:model|num|context|new)\w*|buckets?|block[\s_-]*size|tp|ep|cp|dp|pp|lnc|degree|concurrency|clients|draft|eagle\w*|medusa|speculat\w*|lookahead|k)\s*(?:[=:]|of|is)?\s*\d[\d.,]*/i;

export function readNotes(kernelNotes: string, notes: string): [Notes, readonly Words[]] {
  const its: Draft = {
    on: new Set<string>(),
    off: new Set<string>(),
    none: false,
    statical: false,
    speculates: false,
    stepAlone: false,
    ownTokenizer: false,
    deviation: undefined,
    expertParallel: undefined,
    contextParallel: undefined,
    attentionDataParallel: undefined,
    replicas: undefined,
    tensorParallel: undefined,
    concurrency: undefined,
    requests: undefined,
    sampling: undefined,
    chunk: undefined,
    asynchronous: undefined,
    compiled: undefined,
    longestPrompt: undefined,
    bucket: undefined,
    maxRows: undefined,
    cache: undefined,
    client: undefined,
  };
  const clauses: Words[] = [];
  for (const text of clausesOf(kernelNotes)) {
    const words = new Words("kernel_notes", text);
    for (const rule of SETTINGS) rule(words, its);
    const listed = listsKernels(words.text);
    for (const part of words.text.split(/,|\+|&|\band\b|\bwith\b/i)) {
      if (RESULT.test(part)) continue;
      const clause = new Words("kernel_notes", part);
      kernelsOf(clause, its, listed);
      for (const pattern of KNOWN) clause.takes(pattern);
      clauses.push(clause);
    }
  }
  for (const text of clausesOf(notes)) clauses.push(...readProse(text, its));
  return [its, clauses];
}

function clausesOf(text: string): readonly string[] {
  return text.split(/;|\.\s|\n/).filter((clause) => clause.trim() !== "");
}

/** Settings of a clause of prose; what is left has no price only if it looks like one. */
function readProse(text: string, its: Draft): readonly Words[] {
  const words = new Words("notes", text);
  for (const rule of SETTINGS) rule(words, its);
  const named = words.take(/\bkernels named\s*:\s*(.*)$/i)?.[1];
  if (named !== undefined) {
    const list = named.replace(/\(\s*not[^)]*\)/i, "");
    for (const part of list.split(/,|\band\b/))
      kernelsOf(new Words("notes", `${part} kernel`), its);
  }
  if (RESULT.test(words.text) || !SETTING.test(words.text)) return [];
  return [new Words("notes", SETTING.exec(words.text)?.[0] ?? "")];
}
