/** What weights cost in memory, how they were loaded, and what rounding did to them: for the start of a server. */
import type { Model } from "../../models/model.ts";
import type { DeviceSettings } from "../settings.ts";
import { LEAST_UNPACKED } from "./graph/unpacked.ts";
import type { Loaded } from "./opener.ts";
import type { MemoryPlan } from "./plan.ts";
import { quantizationOf } from "./plan.ts";

export function loadLines(
  {
    model,
    quantization,
    convertedWeights,
  }: Pick<DeviceSettings, "model" | "quantization" | "convertedWeights">,
  plan: MemoryPlan,
  loaded: Loaded | undefined,
): readonly string[] {
  const { weightBytes, blockBits, ranks } = plan;
  const stored = mebibytes(model.checkpoint?.bytes ?? 0);
  const format = quantizationOf(quantization, model.checkpoint);
  const each = ranks === 1 ? "" : ` on each of ${ranks} ranks`;
  const how = {
    "as-stored": "mapped as stored",
    "kept-before": `converted before, mapped from ${convertedWeights?.folder}`,
    "kept-now": `converted, kept in ${convertedWeights?.folder}`,
    "in-memory": `converted in memory (${loaded?.why})`,
  }[loaded?.how ?? "as-stored"];
  const name = format === "int4" && blockBits === 8 ? SMALL_INT4 : NAMES[format];
  const computed = format === "stored" && hasFp8(model) ? NAMES.none : name;
  return [
    `weights    ${stored} as stored (${model.format}); ${mebibytes(weightBytes)} in memory${each} as ${computed}, ${how}`,
    ...copyLines(format, name, plan, loaded),
    ...roundingLines(model, format, name, loaded?.rounded),
  ];
}

/** What int4 is for a model whose weights stay in caches (plan.ts). */
const SMALL_INT4 = "8-bit blocks (so small a model is no quicker in int4)";

const NAMES = {
  none: "F32",
  stored: "integers as published",
  int4: "int4",
  int8: "int8",
  w8a16: "w8a16",
} as const;

/** Parts of all ranks as one count. */
export function partsOfAll(
  ranks: number,
  onLoading: NonNullable<DeviceSettings["onLoading"]>,
): (rank: number, done: number, total: number) => void {
  const opened = new Array<number>(ranks).fill(0);
  return (rank, done, total) => {
    opened[rank] = done;
    onLoading(
      opened.reduce((sum, each) => sum + each, 0),
      total * ranks,
    );
  };
}

/** Which copies of int4 weights are held, and what each is for. */
function copyLines(
  format: keyof typeof NAMES,
  name: string,
  { secondCopyBytes, expertsAgain, aloneBytes }: MemoryPlan,
  loaded: Loaded | undefined,
): readonly string[] {
  if (format !== "int4") return [];
  const small =
    aloneBytes === 0 ? "" : `; small parts once more for one thread, ${mebibytes(aloneBytes)}`;
  const experts = expertsAgain ? `, experts in ${name} again for a second thread` : "";
  const single = loaded?.unpacks
    ? `, unpacked to int8 part by part for steps of ${LEAST_UNPACKED} rows and more, in ${mebibytes(loaded.unpacks)} besides`
    : " whatever a step's rows";
  return [
    secondCopyBytes === 0
      ? `copies     1: ${name}${single}${small}`
      : `copies     2: int8 as well for steps of ${loaded?.crossing} rows and more (measured)${experts}, ${mebibytes(secondCopyBytes)} more; --weight-copies 1 does without`,
  ];
}

/** FP8 has no product here: it is widened, or rounded again; nor have minima that are no whole codes. */
function roundingLines(
  model: Model,
  format: keyof typeof NAMES,
  name: string,
  rounded: number | undefined,
): readonly string[] {
  const fp8 = hasFp8(model);
  if (rounded !== undefined) {
    const what =
      format === "stored" ? "8-bit codes for groups with minima" : `${fp8 ? "FP8 to " : ""}${name}`;
    const every = format === "stored" ? "group" : "row";
    const percent = (100 * rounded).toPrecision(2);
    return [
      `rounding   ${what} moved the weights by ${percent} % (root mean square, every 16th ${every})`,
    ];
  }
  return fp8 ? ["rounding   none: FP8 times its scales is widened to F32"] : [];
}

const hasFp8 = ({ checkpoint }: Model): boolean =>
  [...(checkpoint?.tensors.values() ?? [])].some(({ packing }) => packing?.kind === "fp8");

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
