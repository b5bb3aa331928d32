/** Flags of `trainyard sweep`, and the systems that they span. */
import { rowsOf } from "../../../server/settings/row.ts";
import { UsageError } from "../../usage.ts";
import type { SystemSpec } from "../../virtual/build.ts";
import { type CommandLine, type FlagValues, parseFlags } from "../flags.ts";
import { count, counts, list, names } from "../kinds.ts";
import {
  DEFAULT_MODEL,
  OWN_FLAGS,
  ownFrom,
  PREFILL_FLAGS,
  prefillFrom,
  REPLICA_FLAGS,
  replicaFrom,
} from "../system-flags.ts";
import {
  contextFor,
  INFERENCEX,
  parseConcurrency,
  parseShape,
  powerAbove,
  type Workload,
} from "./protocol.ts";

const live = rowsOf("Live server");
const system = rowsOf("System");
const load = rowsOf("Workload");
const output = rowsOf("Output");

export const SWEEP_FLAGS = {
  url: live.text(undefined, "sweep a live OpenAI-compatible server instead", { value: "URL" }),
  "api-key": live.text(undefined, "bearer token of the live server", {
    value: "KEY",
    secret: true,
    env: "OPENAI_API_KEY",
  }),
  chips: count(live, undefined, "chips of the live server, for the figures per chip"),

  instance: names(system, [""], "instances, by comma; default: the device's"),
  "tensor-parallel-size": counts(system, [4], "by comma; also --tp", "--tp"),
  "data-parallel-size": counts(system, [1], "by comma; also --dp", "--dp"),
  "neuron-kernels": system.of<readonly string[]>(
    "SETS",
    [""],
    "kernel sets to compare, by comma; + joins the kernels of a set",
    (text) => list(text).map((set) => set.replaceAll("+", ",")),
  ),
  ...REPLICA_FLAGS,
  ...OWN_FLAGS,
  "max-num-seqs": count(
    system,
    undefined,
    "rows of a replica; default: the point's users, to a power of two",
  ),
  "max-model-len": count(
    system,
    undefined,
    "context of a replica; default: prompt + output, to 128",
  ),
  ...PREFILL_FLAGS,
  "enable-prefix-caching": system.toggle(
    false,
    "off by default: the protocol's prompts are distinct",
  ),

  concurrency: load.of<readonly number[]>(
    "USERS",
    parseConcurrency("1..64"),
    "1..256 doubles; 1,2,12 lists",
    parseConcurrency,
  ),
  shape: load.of<readonly [number, number]>(
    "IN/OUT",
    [1024, 1024],
    "prompt and output tokens: 1k1k, 8k1k, 2000/300",
    parseShape,
  ),
  "random-range-ratio": load.number(INFERENCEX.ratio, "lengths in [r·L, L]", {
    check: (value) => (value > 0 && value <= 1 ? undefined : "must be above 0 and at most 1"),
  }),
  "requests-per-user": count(load, INFERENCEX.requestsPerUser, "measured"),
  "warmups-per-user": load.integer(INFERENCEX.warmupsPerUser, "before them"),
  seed: load.integer(0, "of prompts and lengths"),

  out: output.text(
    undefined,
    "write points (vLLM JSON), CSV, InferenceX rows, HTML, SVG, PNG; resumes",
    { value: "FOLDER" },
  ),
  chart: output.toggle(true, "no chart in the terminal"),
  quiet: output.toggle(false, "no progress on stderr"),
} as const;

export type SweepValues = FlagValues<typeof SWEEP_FLAGS>;

export interface SweepOptions {
  readonly models: readonly string[];
  readonly flags: SweepValues;
  readonly headers: Readonly<Record<string, string>>;
  readonly workload: Workload;
  readonly given: ReadonlySet<string>;
  /** The command line as it may be written down. */
  readonly shown: string;
}

export function parseSweep(argv: readonly string[], print: (text: string) => void): SweepOptions {
  const line: CommandLine<typeof SWEEP_FLAGS> = parseFlags(
    {
      name: "trainyard sweep",
      sentence:
        "Users against tokens/s/user, and output tokens/s against concurrency: in virtual time on a simulated device, or over HTTP against --url.",
      argument: {
        name: "models",
        sentence: `catalogue ids or folders, by comma (default ${DEFAULT_MODEL})`,
      },
      flags: SWEEP_FLAGS,
    },
    argv,
    print,
  );
  const { values } = line;
  if (values.device === "null")
    throw new UsageError("--device null keeps no time: nothing to measure.");
  const key = values["api-key"];
  const [inputLen, outputLen] = values.shape;
  return {
    models: [...new Set(list(line.argument ?? DEFAULT_MODEL))],
    flags: values,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    workload: {
      inputLen,
      outputLen,
      ratio: values["random-range-ratio"],
      requestsPerUser: values["requests-per-user"],
      warmupsPerUser: values["warmups-per-user"],
      seed: values.seed,
    },
    given: line.given,
    shown: line.shown,
  };
}

/** Every system of the sweep, for a given number of users. */
export function systemsOf(options: SweepOptions, concurrency: number): SystemSpec[] {
  const { workload, flags } = options;
  const specs: SystemSpec[] = [];
  for (const model of options.models)
    for (const instance of flags.instance)
      for (const tensorParallel of flags["tensor-parallel-size"])
        for (const dataParallel of flags["data-parallel-size"])
          for (const kernels of flags["neuron-kernels"])
            specs.push({
              ...replicaFrom(flags),
              model,
              instance,
              tensorParallel,
              dataParallel,
              kernels,
              own: ownFrom(flags),
              maxNumSeqs:
                flags["max-num-seqs"] ?? powerAbove(Math.ceil(concurrency / dataParallel)),
              maxModelLen: flags["max-model-len"] ?? contextFor(workload),
              ...prefillFrom(flags, options.given, { instance, tensorParallel, kernels }),
              prefixCaching: flags["enable-prefix-caching"],
              seed: workload.seed,
            });
  return specs;
}
