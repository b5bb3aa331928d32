/** The last requests: filtered, the slowest of them, and the life of one. */
import { useEffect } from "preact/hooks";
import { digits } from "../figures.ts";
import { query, remember } from "../route.ts";
import { type Cell, Table } from "../table.tsx";
import { choice, chosen, MEASURES } from "./choose.ts";
import { Cloud } from "./cloud.tsx";
import { Filters } from "./filters.tsx";
import { Life } from "./life-panel.tsx";
import { failure, most, over, type Told, underWay, watchRequests } from "./list.ts";
import "./requests.css";

export function Requests() {
  useEffect(watchRequests, []);
  const by = choice();
  const all = [...underWay.value, ...over.value];
  const shown = chosen([...all], by);
  const opened = /^\d{1,15}$/.exec(query.value.get("request") ?? "")?.map(Number)[0];
  const open = (number: number): void => remember("request", String(number));
  return (
    <>
      <header>
        <div class="row">
          <p class="eyebrow">Requests</p>
          <span class={`tag ${underWay.value.length > 0 ? "good" : ""}`}>
            {digits(underWay.value.length)} under way
          </span>
        </div>
        <h1>{titleOf(over.value.length)}</h1>
        <p class="lead">
          {most.value === undefined
            ? "…"
            : `This server keeps ${digits(most.value)}: when things happened, never a prompt or an answer.`}
        </p>
      </header>
      {failure.value !== undefined && (
        <p class="error" role="alert">
          {failure.value}
        </p>
      )}
      <Filters by={by} routes={[...new Set(all.map(({ route }) => route))].sort()} />
      {all.length === 0 && failure.value === undefined && (
        <p class="note">Nothing has come yet: send a request, on Home for instance.</p>
      )}
      {shown.length > 0 && (
        <Cloud requests={shown} measure={by.measure} open={open} opened={opened} />
      )}
      {opened !== undefined && (
        <Life number={opened} close={() => remember("request", undefined)} />
      )}
      {all.length > 0 && (
        <Table
          title={by.slowest ? `Slowest by ${MEASURES[by.measure].toLowerCase()}` : "Newest first"}
          note={`${digits(shown.length)} of ${digits(all.length)}`}
          head={HEAD}
          rows={shown.map((its) => rowOf(its, open))}
        />
      )}
    </>
  );
}

const HEAD = [
  ...["#", "id", "route", "outcome", "prompt", "cached", "output"],
  ...["queue ms", "TTFT ms", "ITL ms", "stall ms", "whole ms", "preempted"],
];

function rowOf(its: Told, open: (number: number) => void): readonly Cell[] {
  const count = (value: number): Cell => ({ text: digits(value), value });
  const ms = (value: number | null): Cell => ({
    text: value === null ? "–" : digits(value),
    value: value ?? Number.NaN,
  });
  return [
    count(its.number),
    { text: clipped(its.id), act: () => open(its.number) },
    its.route,
    endOf(its),
    count(its.prompt_tokens),
    count(its.cached_tokens),
    count(its.output_tokens),
    ...[its.queue_ms, its.ttft_ms, its.itl_ms, its.stall_ms, its.e2e_ms].map(ms),
    count(its.preemptions),
  ];
}

const clipped = (id: string): string => (id.length > 24 ? `${id.slice(0, 23)}…` : id);

function endOf(its: Told): string {
  if (its.status === null) return "under way";
  if (its.gone) return "client left";
  return its.status === 200 ? its.finish.join(", ") : String(its.status);
}

function titleOf(count: number): string {
  if (count === 0) return "No request has ended yet";
  return count === 1 ? "The last request" : `The last ${digits(count)} requests`;
}
