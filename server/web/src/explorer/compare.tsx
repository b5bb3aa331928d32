/** Two profiles: side by side on one scale, and the difference part by part. */
import { useEffect, useState } from "preact/hooks";
import {
  change,
  compareProfiles,
  type Difference,
} from "../../../../device/trainium/profile/compare.ts";
import { Waterfall } from "../charts/waterfall.tsx";
import { digits } from "../figures.ts";
import { query, remember } from "../route.ts";
import { type Cell, Table } from "../table.tsx";
import { rememberSpec, specOf } from "./link.ts";
import type { ProfileSpec, ShownProfile } from "./profile.ts";
import { open, openLinked, places, price } from "./profiles.ts";
import { SideBySide } from "./side-by-side.tsx";
import { SpecForm } from "./spec-form.tsx";
import { timeText } from "./time-text.ts";

const PREFIX = "b.";

/** Unless the link says otherwise, the second is the first with the compiler's own graphs. */
function otherOf(spec: ProfileSpec): ProfileSpec {
  return { ...spec, kernels: spec.kernels === "plain" ? "nki" : "plain" };
}

export function Compare(parts: { readonly profile: ShownProfile; readonly spec: ProfileSpec }) {
  const { profile: a, spec } = parts;
  const [other, setOther] = useState(() => specOf(query.value, PREFIX, otherOf(spec)));
  useEffect(() => {
    const file = query.value.get(`${PREFIX}open`);
    if (file === null) price(other, "b");
    else void openLinked(file, "b");
  }, [other]);
  const { profile: b, failure, progress } = places.value.b;
  return (
    <>
      <section class="panel" aria-labelledby="second-title">
        <header>
          <h2 id="second-title">Against</h2>
          {progress !== undefined && <span class="note">working …</span>}
        </header>
        <SpecForm
          spec={other}
          change={(next) => {
            rememberSpec(next, PREFIX, otherOf(spec));
            remember(`${PREFIX}open`, undefined);
            setOther(next);
          }}
          open={(file) => open(file, "b")}
        />
        {failure !== undefined && (
          <p class="error" role="alert">
            {failure}
          </p>
        )}
      </section>
      {b !== undefined && <Compared a={a} b={b} />}
    </>
  );
}

function Compared({ a, b }: { readonly a: ShownProfile; readonly b: ShownProfile }) {
  const { settings, whole, parts, engines, ops } = compareProfiles(a, b);
  return (
    <>
      <dl class="facts">
        <Fact name="This" text={timeText(whole.a)} />
        <Fact name="Against" text={timeText(whole.b)} />
        <Fact name="Difference" text={signed(change(whole))} />
        <Fact name="Against ÷ this" text={`${digits(whole.b / whole.a)}×`} />
      </dl>
      <SideBySide a={a} b={b} />
      {parts.length > 0 && (
        <Waterfall
          title="From this to that, part by part"
          from={{ name: "this", value: whole.a }}
          to={{ name: "against", value: whole.b }}
          steps={parts.map((part) => ({ name: part.name, value: change(part) }))}
          text={timeText}
        />
      )}
      <div class="panels">
        <Table
          title="Set otherwise"
          head={["setting", "this", "against"]}
          rows={settings.map((its) => [its.name, its.a, its.b])}
        />
        <Differences title="Parts" what="part" rows={parts} of={change(whole)} />
        <Differences title="Operations by role" what="operation" rows={ops} of={change(whole)} />
        <Differences title="Engines" what="engine" rows={engines} of={undefined} />
      </div>
    </>
  );
}

function Fact({ name, text }: { readonly name: string; readonly text: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}

const signed = (nanos: number): string => `${nanos > 0 ? "+" : ""}${timeText(nanos)}`;

/** `of`: what the rows' changes add up to. */
function Differences(parts: {
  readonly title: string;
  readonly what: string;
  readonly rows: readonly Difference[];
  readonly of: number | undefined;
}) {
  const { title, what, rows, of } = parts;
  return (
    <Table
      title={title}
      head={[what, "this", "against", "change", ...(of === undefined ? [] : ["of the change"])]}
      rows={rows.map((row): readonly Cell[] => {
        const by = change(row);
        return [
          row.name,
          { text: timeText(row.a), value: row.a },
          { text: timeText(row.b), value: row.b },
          {
            text: by === 0 ? "0" : signed(by),
            value: by,
            mood: by === 0 ? undefined : by < 0 ? "good" : "bad",
          },
          ...(of === undefined
            ? []
            : [
                {
                  text: of === 0 ? "–" : `${digits((100 * by) / of)} %`,
                  value: of === 0 ? 0 : by / of,
                },
              ]),
        ];
      })}
    />
  );
}
