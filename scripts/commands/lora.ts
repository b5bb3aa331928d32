/** `trainyard lora merge BASE ADAPTER OUT`: consolidates an adapter into a folder that loads here and in vLLM. */
import { loadModel } from "../../models/load.ts";
import { readAdapter } from "../../models/weights/adapter.ts";
import { AdapterError } from "../../models/weights/adapter-config.ts";
import { resolveFolder } from "../../models/weights/folder.ts";
import { mergeAdapter } from "../../models/weights/merge.ts";
import type { RoundedDtype } from "../../models/weights/round.ts";
import { rowsOf } from "../../server/settings/row.ts";
import { UsageError } from "../usage.ts";
import { parseFlags } from "./flags.ts";

const output = rowsOf("Output");

export const LORA_FLAGS = {
  dtype: output.choice(
    ["auto", "float32", "bfloat16", "float16"],
    "auto",
    "of the weights written; auto: each as the base has it, bfloat16 where that is quantised",
  ),
} as const;

const DTYPES: Readonly<Record<string, RoundedDtype>> = {
  float32: "F32",
  bfloat16: "BF16",
  float16: "F16",
};

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const flags = argv.findIndex((word) => word.startsWith("-"));
  const words = flags < 0 ? argv : argv.slice(0, flags);
  const { values } = parseFlags(
    {
      name: "trainyard lora merge BASE ADAPTER OUT",
      sentence:
        "Consolidates a LoRA adapter into its base model: a folder of its own, for this server and for others.",
      flags: LORA_FLAGS,
    },
    flags < 0 ? [] : argv.slice(flags),
    print,
  );
  const [verb, base, adapter, out, ...more] = words;
  if (verb !== "merge" || base === undefined || adapter === undefined || out === undefined) {
    throw new UsageError("trainyard lora merge BASE ADAPTER OUT [--dtype TYPE]");
  }
  if (more.length > 0) throw new UsageError(`${more[0]} is one word too many.`);
  try {
    const model = await loadModel(base);
    const weights = readAdapter(
      resolveFolder(adapter),
      model.architecture,
      Number.MAX_SAFE_INTEGER,
    );
    const dtype = DTYPES[values.dtype];
    const { adapted, tensors, bytes } = mergeAdapter(model, weights, {
      out,
      ...(dtype && { dtype }),
    });
    print(`${out}: ${adapted} of ${tensors} tensors adapted, ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  } catch (error) {
    if (error instanceof AdapterError) throw new UsageError(error.message);
    throw error;
  }
  return 0;
}
