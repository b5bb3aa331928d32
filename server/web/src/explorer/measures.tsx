/** What was measured between two markers of the timeline, kept from profile to profile. */
import { signal } from "@preact/signals";
import { digits } from "../figures.ts";
import type { ShownProfile } from "./profile.ts";
import { timeText } from "./time-text.ts";

interface Measured {
  readonly where: string;
  readonly nanos: number;
}
const measures = signal<readonly Measured[]>([]);
const KEPT = 8;

/** Keeps the time between two markers; with fewer nothing is measured. */
export function keepMeasured({ settings }: ShownProfile, [a, b]: readonly number[]): void {
  if (a === undefined || b === undefined) return;
  const { machine, ranks, kernels, rows, context, file } = settings;
  const where = file ?? `${machine}, ${ranks}, ${rows} × ${context}, kernels ${kernels}`;
  measures.value = [...measures.value, { where, nanos: Math.abs(b - a) }].slice(-KEPT);
}

/** What lies between the markers, and what was measured so far, each held against the first. */
export function Measures({ markers: [a, b] }: { readonly markers: readonly number[] }) {
  return (
    <div aria-live="polite">
      <h3>Between the markers</h3>
      <p class="number measured">
        {a === undefined
          ? "–"
          : b === undefined
            ? `from ${timeText(a)}`
            : timeText(Math.abs(b - a))}
      </p>
      <Kept />
    </div>
  );
}

function Kept() {
  const [first] = measures.value;
  if (first === undefined || measures.value.length < 2) return null;
  return (
    <div class="scroller">
      <table class="kept">
        <thead>
          <tr>
            <th>measured</th>
            <th class="number">time</th>
            <th class="number">÷ first</th>
          </tr>
        </thead>
        <tbody>
          {measures.value.map(({ where, nanos }, index) => (
            <tr key={index}>
              <td>{where}</td>
              <td class="number">{timeText(nanos)}</td>
              <td class="number">{digits(nanos / first.nanos)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <button
        type="button"
        class="link"
        onClick={() => {
          measures.value = [];
        }}
      >
        Forget them
      </button>
    </div>
  );
}
