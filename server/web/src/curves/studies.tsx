/** The talk's chart and its principles as pages, computed here. */
import { useEffect } from "preact/hooks";
import { SHAPES } from "../../../../scripts/commands/study/principles-times.ts";
import { Table } from "../table.tsx";
import { Headline } from "./headline.tsx";
import { headline, principles, runStudies, studied } from "./studied.ts";

export function Studies() {
  useEffect(runStudies, []);
  const { done, of, failure } = studied.value;
  return (
    <>
      {failure !== undefined && <p class="error">{failure}</p>}
      {done < of && (
        <p class="row note" role="status">
          computing in this page <progress value={done} max={of} />
        </p>
      )}
      {headline.value !== undefined && <Headline data={headline.value} />}
      {principles.value !== undefined && <Principles />}
    </>
  );
}

function Principles() {
  const times = principles.value ?? [];
  const whole = times[0];
  return (
    <div class="panels">
      {SHAPES.map(([shape], index) => (
        <Table
          key={shape}
          title={`Principles: ${shape}`}
          note="Llama-3.1-8B, TP 4 on trn2.3xlarge"
          head={["principle", "ms of a step", "÷ all on"]}
          rows={times.map(({ name, ms }) => {
            const its = ms[index] ?? Number.NaN;
            const factor = its / (whole?.ms[index] ?? its);
            return [
              name,
              { text: its.toFixed(2), value: its },
              {
                text: `×${factor.toFixed(2)}`,
                value: factor,
                share:
                  factor /
                  Math.max(...times.map((one) => (one.ms[index] ?? 0) / (whole?.ms[index] ?? 1))),
              },
            ];
          })}
        />
      ))}
    </div>
  );
}
