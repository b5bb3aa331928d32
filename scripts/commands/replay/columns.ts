/** The columns of replays, once: the terminal's table and `--json` read them. */
import type { Column } from "../../load/column.ts";
import { latencyMeasures, MEASURES, meaningOf } from "../../load/measures.ts";
import { LATENCIES } from "../../load/metrics.ts";
import { PERCENTILES, type ReplayRow } from "./replay.ts";

/** What the table shows of the measures, by key, in its order; all are in the file. */
const SHOWN: Readonly<Record<string, Pick<Column<ReplayRow>, "title" | "digits">>> = {
  completed: { title: "ok", digits: 0 },
  failed: { title: "failed", digits: 0 },
  median_ttft_ms: { title: "TTFT p50 ms", digits: 0 },
  p90_ttft_ms: { title: "TTFT p90 ms", digits: 0 },
  p99_ttft_ms: { title: "TTFT p99 ms", digits: 0 },
  median_tpot_ms: { title: "TPOT p50 ms", digits: 2 },
  median_e2el_ms: { title: "E2E p50 ms", digits: 0 },
  output_throughput: { title: "tokens/s", digits: 0 },
};

const MEASURED: readonly Column<ReplayRow>[] = [
  ...MEASURES,
  ...LATENCIES.flatMap((name) => latencyMeasures(name, PERCENTILES)),
].map(({ key, title: _title, digits: _digits, of, ...meaning }) => ({
  key,
  ...meaning,
  ...SHOWN[key],
  of: ({ metrics }) => of(metrics),
}));

const shown = Object.keys(SHOWN);

export const REPLAY_COLUMNS: readonly Column<ReplayRow>[] = [
  { key: "name", title: "run", of: ({ name }) => name },
  ...MEASURED.filter(({ title }) => title !== undefined).sort(
    (a, b) => shown.indexOf(a.key) - shown.indexOf(b.key),
  ),
  {
    key: "hit_rate",
    title: "hit tokens %",
    unit: "%",
    better: "higher",
    formula: "prompt tokens found in the prefix cache ÷ prompt tokens",
    digits: 2,
    of: ({ hitRate }) => 100 * hitRate,
  },
  { key: "hit_tokens", unit: "tokens", better: "higher", of: ({ hitTokens }) => hitTokens },
  {
    key: "hit_blocks",
    title: "hit blocks",
    better: "higher",
    formula: "hit tokens ÷ tokens of the trace's blocks",
    of: ({ hitBlocks }) => hitBlocks,
  },
  {
    key: "preemptions",
    title: "preempted",
    ...meaningOf("preemptions"),
    of: ({ metrics }) => metrics.preemptions,
  },
  ...MEASURED.filter(({ title }) => title === undefined),
  { key: "steps", of: ({ steps }) => steps?.steps },
  {
    key: "busy_s",
    unit: "s",
    formula: "time in steps, replicas added",
    of: (row) => row.steps?.busy,
  },
  { key: "step_tokens", unit: "tokens", of: ({ steps }) => steps?.tokens },
  { key: "padded_tokens", unit: "tokens", better: "lower", of: (row) => row.steps?.paddedTokens },
  { key: "most_running", of: ({ steps }) => steps?.mostRunning },
  { key: "most_waiting", better: "lower", of: ({ steps }) => steps?.mostWaiting },
  { key: "most_kv_usage", better: "lower", of: ({ steps }) => steps?.mostKvUsage },
  {
    key: "cpu_s",
    title: "CPU s",
    unit: "s",
    formula: "processor time that the run took here",
    digits: 2,
    of: ({ cpuSeconds }) => cpuSeconds,
  },
  {
    key: "took_s",
    title: "took s",
    unit: "s",
    formula: "time that the run took here",
    digits: 2,
    of: ({ wallSeconds }) => wallSeconds,
  },
  { key: "overload", of: ({ overload }) => overload },
  { key: "first_error", of: ({ firstError }) => firstError },
];
