/** What is registered: systems as their announcements describe them, and the curves asked of them. */
import type { Workload } from "../commands/sweep/protocol.ts";
import type { SystemSpec } from "../virtual/build.ts";

export interface Curve {
  readonly name: string;
  readonly spec: SystemSpec;
  readonly workload: Pick<Workload, "inputLen" | "outputLen">;
  readonly users: readonly number[];
}

export interface Registration {
  /** What it is of, and where that is described. */
  readonly of: string;
  /** What the description leaves open, and how it was taken. */
  readonly assumed: readonly string[];
  readonly curves: readonly Curve[];
}

const GPT_OSS = "openai/gpt-oss-120b";

const spec = (change: Partial<SystemSpec>): SystemSpec => ({
  model: GPT_OSS,
  device: "trainium",
  instance: "trn3-gen1-ultraserver",
  tensorParallel: 8,
  dataParallel: 1,
  expertParallel: false,
  kernels: "",
  maxNumSeqs: 8,
  maxModelLen: 10_240,
  prefixCaching: false,
  seed: 0,
  ...change,
  own: { "neuron-stack": "vllm-neuron@0.29", ...change.own },
});

const USERS = [1, 2, 4, 8, 16, 32, 64, 128];

/** 8K in, 1K out on two Trn3 instances: prompts on one, decodes on the other. */
const apart: Curve = {
  name: "gpt-oss-120b on two Trn3 instances, prompts and decodes apart",
  workload: { inputLen: 8192, outputLen: 1024 },
  users: USERS,
  spec: spec({
    dataParallel: 16,
    expertParallel: true,
    kernels: "flash-attention,blockwise-moe,fused-qkv,megakernel",
    blockSize: 128,
    own: {
      "logical-nc-config": 1,
      "kv-cache-dtype": "fp8",
      "additional-config": JSON.stringify({ neuron_config: { moe_ep_degree: 128 } }),
    },
    prefill: {
      workers: 6,
      instance: "trn3-gen1-ultraserver",
      tensorParallel: 8,
      kernels: "",
      own: { "logical-nc-config": 2, "additional-config": "{}" },
      expertParallel: false,
      maxNumSeqs: 1,
      link: "efa",
    },
  }),
};

/** InferenceX's two shapes, one server, each TP with as many rows as users. */
function curves(instance: string, chip: string, ranks: readonly number[]): Curve[] {
  return [
    { inputLen: 8192, outputLen: 1024 },
    { inputLen: 1024, outputLen: 1024 },
  ].flatMap((workload) =>
    ranks.map((tensorParallel) => ({
      name: `gpt-oss-120b on ${chip}, ${workload.inputLen}/${workload.outputLen}, TP ${tensorParallel}`,
      workload,
      users: USERS,
      spec: spec({
        instance,
        tensorParallel,
        maxNumSeqs: 128,
        maxModelLen: workload.inputLen + workload.outputLen,
      }),
    })),
  );
}

export const REGISTRATIONS: Readonly<Record<string, Registration>> = Object.freeze({
  "gpt-oss-120b-trn3": {
    of: "gpt-oss-120b, 8K in and 1K out, on two Trn3 instances as the documentation of Neuron SDK 2.33 describes it: prompts on six replicas (kernels by layer, LNC 2), decodes on one server of TP 8 × DP 16 × EP 128 at LNC 1 with the megakernel; MXFP4 experts, FP8 K and V, blocks of 128, 8 rows a data-parallel rank, EFA between the instances.",
    assumed: [
      "A replica for prompts has TP 8: six of them fit the 64 logical cores of an instance.",
      "K and V go whole after the prompt, each engine's chips with their share of EFA.",
      "InferenceX's protocol: lengths in [0.8 L, L], ten requests a user after two.",
      "Data-parallel ranks step on their own; the real ones wait for the slowest at the experts.",
    ],
    curves: [apart],
  },
  "inferencex-gpt-oss-120b": {
    of: "InferenceX's gpt-oss-120b at 8k1k and 1k1k on Trn2 (trn2.48xlarge, BF16) and Trn3 (one UltraServer's links, MXFP4), vLLM Neuron 0.29, no speculation.",
    assumed: [
      "One tensor-parallel server of as many chips as its ranks need; rates are per such chip.",
      "The stack's default kernels; decode graphs of the whole context; 128 rows compiled for.",
    ],
    curves: [
      ...curves("trn2.48xlarge", "Trn2", [16, 32]),
      ...curves("trn3-gen1-ultraserver", "Trn3", [8, 16, 32]),
    ],
  },
});
