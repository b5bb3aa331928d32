/** Where a step's time goes: priced in this page by the cost model itself, or read from a file. */
import { useEffect, useState } from "preact/hooks";
import { card } from "../home/server-facts.ts";
import { query, remember } from "../route.ts";
import { CATALOG_IDS } from "./catalog.ts";
import "./explorer.css";
import { Operations } from "./operations.tsx";
import type { ProfileSpec } from "./profile.ts";
import { busy, failure, open, price, profile } from "./profiles.ts";
import { SpecForm } from "./spec-form.tsx";
import { Summary } from "./summary.tsx";
import { Timeline } from "./timeline.tsx";

const VIEWS = { timeline: Timeline, summary: Summary, operations: Operations } as const;
type ViewName = keyof typeof VIEWS;

const DEFAULTS: ProfileSpec = {
  model: "meta-llama/Llama-3.1-8B-Instruct",
  instance: "trn2.3xlarge",
  tensorParallel: 4,
  rows: 8,
  context: 4096,
  steps: 1,
  prompt: 0,
  kernels: "",
  quantization: "",
};

/** The view's link says what is priced; what it leaves out is as by default. */
function specOf(link: URLSearchParams): ProfileSpec {
  const served = card.value?.root ?? "";
  const own = CATALOG_IDS.includes(served) ? { ...DEFAULTS, model: served } : DEFAULTS;
  return Object.fromEntries(
    Object.entries(own).map(([name, value]) => {
      const said = link.get(name);
      if (said === null) return [name, value];
      return [name, typeof value === "number" ? Number(said) : said];
    }),
  ) as unknown as ProfileSpec; // the same names as DEFAULTS
}

export function Explorer() {
  const [spec, setSpec] = useState(() => specOf(query.value));
  const view = (query.value.get("view") ?? "timeline") as ViewName;
  const View = VIEWS[view] ?? Timeline;
  useEffect(() => price(spec), [spec]);
  const change = (next: ProfileSpec): void => {
    for (const [name, value] of Object.entries(next)) {
      const plain = DEFAULTS[name as keyof ProfileSpec]; // names of a spec
      remember(name, String(value) === String(plain) ? undefined : String(value));
    }
    setSpec(next);
  };
  const shown = profile.value;
  return (
    <>
      <header>
        <p class="eyebrow">Explorer</p>
        <h1>{shown?.title ?? "Where a step's time goes"}</h1>
        <p class="lead">{shown?.note}</p>
      </header>
      <section class="panel" aria-label="What is priced">
        <SpecForm spec={spec} change={change} open={open} />
        {failure.value !== undefined && (
          <p class="error" role="alert">
            {failure.value}
          </p>
        )}
      </section>
      <div class="tabs" role="tablist" aria-label="Views">
        {Object.keys(VIEWS).map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={name === view}
            onClick={() => remember("view", name)}
          >
            {name[0]?.toUpperCase() + name.slice(1)}
          </button>
        ))}
        {busy.value && <span class="note">pricing …</span>}
      </div>
      {shown !== undefined && <View key={shown.title} profile={shown} />}
    </>
  );
}
