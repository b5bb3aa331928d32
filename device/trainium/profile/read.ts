/** Profiles from files: this project's columns, Chrome traces, Neuron Explorer's summary-json. */
import { readChromeTrace } from "../../chrome-trace.ts";
import type { SpanColumns } from "../../columns.ts";
import { isSpanFile, readSpanFile, writeSpanFile } from "../../span-file.ts";
import { spanTree } from "../../span-tree.ts";
import type { SpanArgs } from "../../trace.ts";
import type { Profile, ProfileAbout, Totals } from "./profile.ts";
import { type ProfileSummary, readSummaryJson } from "./summary.ts";

export interface ReadProfile {
  readonly profile: Profile;
  readonly args: readonly SpanArgs[];
}

/** The file by columns, which any profile can be written as. */
export function writeProfile({ profile, args }: ReadProfile): Uint8Array {
  const { spans: columns, tree: _, ...about } = profile;
  return writeSpanFile({ about, columns, args });
}

/** Throws a sentence that names the file. */
export function readProfile(
  bytes: Uint8Array,
  name: string,
  progress?: (share: number) => void,
): ReadProfile {
  try {
    if (isSpanFile(bytes)) return ofColumns(bytes, name);
    const summary = summaryIn(bytes);
    if (summary !== undefined) return { profile: ofSummary(summary, name), args: [] };
    return ofTrace(bytes, name, progress);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new Error(said.startsWith(name) ? said : `${name}: ${said}`);
  }
}

function ofColumns(bytes: Uint8Array, name: string): ReadProfile {
  const { about, columns, args } = readSpanFile(bytes);
  if (typeof about !== "object" || about === null) throw new Error("its header says nothing of it");
  const its = about as Partial<ProfileAbout>; // fields are looked at one by one
  const tree = spanTree(columns, args);
  return {
    args,
    profile: {
      title: String(its.title ?? name),
      note: String(its.note ?? `From ${name}.`),
      duration: Number.isFinite(its.duration) ? Number(its.duration) : lastEnd(columns),
      spans: columns,
      settings: its.settings ?? { file: name },
      ...(tree !== undefined && { tree }),
      ...(its.totals !== undefined && { totals: its.totals }),
    },
  };
}

function ofTrace(bytes: Uint8Array, name: string, progress?: (share: number) => void): ReadProfile {
  const { columns, args, duration, about } = readChromeTrace(bytes, name, progress);
  const tree = spanTree(columns, args);
  const named = about["profile_name"];
  return {
    args,
    profile: {
      title: typeof named === "string" ? named : name,
      note:
        about["is_simulation"] === "true"
          ? `From ${name}: simulated time.`
          : `From ${name}, as it was recorded.`,
      duration,
      spans: columns,
      settings: { file: name },
      ...(tree !== undefined && { tree }),
    },
  };
}

/** Bytes that a summary-json has at most: it is one row of a table. */
const SMALL = 1 << 20;

function summaryIn(bytes: Uint8Array): ProfileSummary | undefined {
  if (bytes.length > SMALL) return undefined;
  const text = new TextDecoder().decode(bytes);
  if (!text.includes('"total_time"') || text.includes('"traceEvents"')) return undefined;
  return readSummaryJson(JSON.parse(text) as unknown);
}

const NO_SPANS: SpanColumns = {
  tracks: [],
  names: [],
  start: new Float64Array(0),
  duration: new Float64Array(0),
  name: new Uint32Array(0),
  detail: new Uint32Array(0),
};

function ofSummary(fields: ProfileSummary, name: string): Profile {
  const of = (key: string): number => Number(fields[key] ?? 0);
  const lane = (key: string): number => of(key) * 1e9;
  const bandwidth = of("hbm_ddr_bandwidth");
  const totals: Totals = {
    parts: {},
    engines: {
      ...Object.fromEntries(
        ["tensor", "vector", "scalar", "gpsimd"].map((engine) => [
          engine,
          lane(`${engine}_engine_active_time`),
        ]),
      ),
      dma: lane("dma_active_time"),
      cc: lane("cc_op_active_time"),
    },
    ops: [],
    collectives: [],
    fields,
    peak: { flops: of("peak_flops_bandwidth_ratio") * bandwidth, bytes: bandwidth },
    advice: [],
  };
  return {
    title: String(fields["profile_name"] ?? name),
    note: `From ${name}, a summary: it holds no spans.`,
    duration: lane("total_time"),
    spans: NO_SPANS,
    settings: { file: name },
    totals,
  };
}

function lastEnd({ start, duration }: SpanColumns): number {
  let last = 0;
  for (let span = 0; span < start.length; span++) {
    last = Math.max(last, (start[span] ?? 0) + (duration[span] ?? 0));
  }
  return last;
}
