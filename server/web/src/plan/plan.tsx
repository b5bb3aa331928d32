/** Which system keeps a promise, and at what price; and what another machine would change. */
import { query, remember } from "../route.ts";
import { TabPanel, Tabs } from "../tabs.tsx";
import "./plan.css";
import { PlanForm } from "./plan-form.tsx";
import { PlanResult } from "./plan-result.tsx";
import { WhatIf } from "./what-if-view.tsx";

const TABS = { systems: "Systems", whatif: "What if" } as const;

export function Plan() {
  const asked = query.value.get("view") ?? "systems";
  const tab = Object.hasOwn(TABS, asked) ? asked : "systems";
  return (
    <>
      <header>
        <p class="eyebrow">Plan</p>
        <h1>
          {tab === "whatif" ? "What if the machine were another" : "Which system keeps the promise"}
        </h1>
        <p class="lead">
          {tab === "whatif" ? (
            "Move a slider: the estimate answers at once, the simulated curve follows."
          ) : (
            <>
              The cheapest system that keeps it, as <code>trainyard plan</code> finds it: whole
              machines, searched in virtual time.
            </>
          )}
        </p>
      </header>
      <Tabs label="Views" tabs={TABS} chosen={tab} choose={(key) => remember("view", key)} />
      <TabPanel tab={tab}>
        {tab === "whatif" ? (
          <WhatIf />
        ) : (
          <>
            <PlanForm />
            <PlanResult />
          </>
        )}
      </TabPanel>
    </>
  );
}
