/** Load, promise and systems as a form over `trainyard plan`; the link holds what is asked. */
import { INSTANCES } from "../../../../device/trainium/instances.ts";
import { AskEnd, useAsk } from "../ask.tsx";
import { CATALOG_IDS } from "../catalog-ids.ts";
import { Known } from "../known.tsx";
import { FIRST, type PlanAsk, planOptions } from "./ask.ts";
import { makePlan, planning, stopPlan } from "./planning.ts";

interface Field {
  readonly name: keyof PlanAsk;
  readonly title: string;
  readonly hint?: string;
  readonly wide?: true;
  readonly of?: string;
}

const GROUPS: readonly { readonly title: string; readonly fields: readonly Field[] }[] = [
  {
    title: "Load",
    fields: [
      { name: "model", title: "Model", wide: true, of: "plan-models" },
      { name: "people", title: "Users at once" },
      { name: "input", title: "Prompt, tokens" },
      { name: "output", title: "Answer, tokens" },
    ],
  },
  {
    title: "Promise",
    fields: [
      { name: "ttft", title: "First token, s" },
      { name: "pace", title: "Tokens/s/user" },
      { name: "percentile", title: "Kept for, %" },
    ],
  },
  {
    title: "Systems",
    fields: [
      { name: "instances", title: "Machines", hint: "all", wide: true, of: "plan-machines" },
      { name: "tp", title: "TP", hint: "1 to 64" },
      { name: "formats", title: "Weights", wide: true },
    ],
  },
];

const RARE: readonly Field[] = [
  { name: "spread", title: "Spread of lengths" },
  { name: "kernels", title: "Kernel sets", hint: "the stack's" },
  {
    name: "drafts",
    title: "Speculation, JSON",
    hint: '{"method": "eagle3", "num_speculative_tokens": 3, "acceptance_length": 2.2}',
    wide: true,
  },
  { name: "seconds", title: "Search at most, s" },
  { name: "prices", title: "Prices, $/h", hint: "trn3-gen2-ultraserver=300", wide: true },
  { name: "set", title: "What if", hint: "hbm.bandwidth=2x", wide: true },
];

export function PlanForm() {
  const { ask, set, run, failure } = useAsk<PlanAsk>(FIRST, {
    begin: (its) => makePlan(planOptions(its)),
    begun: () => planning.value !== undefined,
  });
  return (
    <form
      class="panel"
      aria-label="What is planned"
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
    >
      {GROUPS.map(({ title, fields }) => (
        <fieldset key={title} class="group">
          <legend>{title}</legend>
          <Fields fields={fields} ask={ask} set={set} />
        </fieldset>
      ))}
      <details class="more" open={RARE.some(({ name }) => ask[name] !== FIRST[name])}>
        <summary class="note">Spread, kernels, speculation, prices, what if</summary>
        <Fields fields={RARE} ask={ask} set={set} />
      </details>
      <Known id="plan-models" values={CATALOG_IDS} />
      <Known id="plan-machines" values={INSTANCES.map(({ name }) => name)} />
      <AskEnd title="Find systems" failure={failure}>
        <Progress />
      </AskEnd>
    </form>
  );
}

function Fields(parts: {
  readonly fields: readonly Field[];
  readonly ask: PlanAsk;
  readonly set: (name: keyof PlanAsk, value: string) => void;
}) {
  const { fields, ask, set } = parts;
  return (
    <div class="spec">
      {fields.map(({ name, title, hint, wide, of }) => (
        <label key={name} class={wide === true ? "wide" : ""}>
          {title}
          <input
            value={ask[name]}
            list={of}
            placeholder={hint}
            onInput={(event) => set(name, event.currentTarget.value)}
          />
        </label>
      ))}
    </div>
  );
}

function Progress() {
  const state = planning.value;
  if (state?.kind !== "working") return <span class="note">simulated in this page</span>;
  return (
    <span class="row note" role="status">
      {state.what}: {state.done} of {state.of} <progress value={state.done} max={state.of} />
      <button type="button" onClick={stopPlan}>
        Stop
      </button>
    </span>
  );
}
