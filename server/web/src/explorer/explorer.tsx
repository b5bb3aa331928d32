/** Where a step's time goes: priced in this page by the cost model itself, or read from a file. */
import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { TieredBand } from "../../../../device/trust.ts";
import { Boundary } from "../boundary.tsx";
import { saveAs } from "../download.ts";
import { lazy } from "../lazy.tsx";
import { query, remember } from "../route.ts";
import { TabPanel, Tabs } from "../tabs.tsx";
import "./explorer.css";
import { Hierarchy } from "./hierarchy.tsx";
import { rememberSpec, specOf } from "./link.ts";
import { Operations } from "./operations.tsx";
import type { ProfileSpec, ShownProfile } from "./profile.ts";
import { open, openLinked, places, price, saved } from "./profiles.ts";
import { SpecForm } from "./spec-form.tsx";
import { Summary } from "./summary.tsx";
import { Timeline } from "./timeline.tsx";

type View = FunctionComponent<{ readonly profile: ShownProfile; readonly spec: ProfileSpec }>;

/** One line a view; those with charts are fetched when they are looked at. */
const VIEWS: Readonly<Record<string, { readonly title: string; readonly view: View }>> = {
  summary: { title: "Summary", view: Summary },
  timeline: { title: "Timeline", view: Timeline },
  hierarchy: { title: "Hierarchy", view: Hierarchy },
  operations: { title: "Operations", view: Operations },
  roofline: {
    title: "Roofline",
    view: lazy(async () => (await import("./roofline.tsx")).RooflineView),
  },
  memory: { title: "Memory", view: lazy(async () => (await import("./memory.tsx")).Memory) },
  compare: { title: "Compare", view: lazy(async () => (await import("./compare.tsx")).Compare) },
};
const TABS = Object.fromEntries(Object.entries(VIEWS).map(([key, { title }]) => [key, title]));

export function Explorer() {
  const [spec, setSpec] = useState(() => specOf(query.value));
  const asked = query.value.get("view") ?? "timeline";
  const view = Object.hasOwn(VIEWS, asked) ? asked : "timeline";
  const { view: View = Timeline } = VIEWS[view] ?? {};
  useEffect(() => {
    const file = query.value.get("open");
    if (file === null) price(spec);
    else void openLinked(file);
  }, [spec]);
  const change = (next: ProfileSpec): void => {
    rememberSpec(next);
    remember("open", undefined);
    setSpec(next);
  };
  const { profile, failure, progress } = places.value.a;
  return (
    <>
      <header>
        <div class="row">
          <p class="eyebrow">Explorer</p>
          {profile?.totals?.belief !== undefined && <Belief {...profile.totals.belief} />}
        </div>
        <h1>{profile?.title ?? "Where a step's time goes"}</h1>
        <p class="lead">{profile?.note}</p>
      </header>
      <section class="panel" aria-label="What is priced">
        <SpecForm spec={spec} change={change} open={(file) => open(file)} />
        {failure !== undefined && (
          <p class="error" role="alert">
            {failure}
          </p>
        )}
      </section>
      <Tabs
        label="Views"
        tabs={TABS}
        chosen={view}
        choose={(name) => remember("view", name)}
        beside={
          progress === undefined ? (
            profile !== undefined && <Save profile={profile} />
          ) : (
            <span class="row note" role="status">
              working <progress value={progress > 0 ? progress : undefined} />
            </span>
          )
        }
      />
      <TabPanel tab={view}>
        {profile !== undefined && (
          <Boundary key={`${view} ${profile.key}`}>
            <View profile={profile} spec={spec} />
          </Boundary>
        )}
      </TabPanel>
    </>
  );
}

/** How far the figures are to be believed. */
function Belief({ tier, factor }: TieredBand) {
  return (
    <span class={`tag ${tier === "calibrated" ? "good" : "warn"}`}>
      {tier}
      {factor > 1 && `, 80 % band ×÷ ${factor.toFixed(2)}`}
    </span>
  );
}

function Save({ profile }: { readonly profile: ShownProfile }) {
  return (
    <div class="actions">
      <button
        type="button"
        onClick={async () => {
          const bytes = await saved(profile.key);
          saveAs(`${profile.title}.spans`, new Blob([bytes as Uint8Array<ArrayBuffer>]));
        }}
      >
        Save as a file
      </button>
    </div>
  );
}
