/** A sweep of this page: lists as the command line takes them, points as they are done. */
import type { ComponentChildren } from "preact";
import { INSTANCES } from "../../../../device/trainium/instances.ts";
import { AskEnd, useAsk } from "../ask.tsx";
import { CATALOG_IDS } from "../catalog-ids.ts";
import { digits } from "../figures.ts";
import { Known } from "../known.tsx";
import { FIRST, type SweepAsk, stopSweep, sweep, sweeping, tasksOf } from "./sweep.ts";

const FIELDS: readonly (readonly [keyof SweepAsk, string, string])[] = [
  ["models", "Models", "wide"],
  ["instances", "Machines", "wide"],
  ["tp", "TP", ""],
  ["users", "Users", ""],
  ["shape", "In / out", ""],
  ["formats", "Weights", ""],
  ["kernels", "Kernels", ""],
  ["set", "What if", ""],
];
const HINTS: Partial<Record<keyof SweepAsk, string>> = {
  formats: "as declared",
  kernels: "nki",
  set: "hbm.bandwidth=2x",
};

export function SweepForm({ children }: { readonly children: ComponentChildren }) {
  const { ask, set, run, failure } = useAsk<SweepAsk>(FIRST, {
    begin: (its) => sweep(nameOf(its), tasksOf(its)),
    begun: () => sweeping.value !== undefined,
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
    >
      <Fields ask={ask} set={set} />
      <AskEnd title="Sweep here" failure={failure}>
        {children}
        <Progress />
      </AskEnd>
    </form>
  );
}

function Fields(parts: {
  readonly ask: SweepAsk;
  readonly set: (name: keyof SweepAsk, value: string) => void;
}) {
  const { ask, set } = parts;
  return (
    <>
      <div class="spec">
        {FIELDS.map(([name, title, size]) => (
          <label key={name} class={size}>
            {title}
            <input
              value={ask[name]}
              list={name === "models" || name === "instances" ? `all-${name}` : undefined}
              placeholder={HINTS[name]}
              onInput={(event) => set(name, event.currentTarget.value)}
            />
          </label>
        ))}
      </div>
      <Known id="all-models" values={CATALOG_IDS} />
      <Known id="all-instances" values={INSTANCES.map(({ name }) => name)} />
    </>
  );
}

/** What tells one sweep of this page from another. */
function nameOf(ask: SweepAsk): string {
  return Object.values(ask)
    .filter((value) => value !== "")
    .join(", ");
}

function Progress() {
  const state = sweeping.value;
  if (state === undefined) return <span class="note">in virtual time, in this page</span>;
  const { done, of, busyMs, failed } = state;
  return (
    <>
      <span class="row note" role="status">
        {done} of {of} points, {digits(busyMs / 1000)} s <progress value={done} max={of} />
        {done < of && (
          <button type="button" onClick={stopSweep}>
            Stop
          </button>
        )}
      </span>
      {failed.length > 0 && (
        <details class="note">
          <summary>
            {failed.length} {failed.length === 1 ? "system does" : "systems do"} not run: why
          </summary>
          {failed.map((text) => (
            <p key={text}>{text}</p>
          ))}
        </details>
      )}
    </>
  );
}
