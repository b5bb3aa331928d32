/** Layers → modules → operations as an icicle: click opens a part, the search lights what it finds. */
import { useState } from "preact/hooks";
import { mergeNumbered, type SpanNode } from "../../../../device/span-tree.ts";
import { digits } from "../figures.ts";
import { query, remember } from "../route.ts";
import { type Cell, Table } from "../table.tsx";
import { Icicle } from "./icicle.tsx";
import type { ShownProfile } from "./profile.ts";
import { timeText } from "./time-text.ts";

/** Parts of a path in the link: names may hold dots and slashes. */
const BETWEEN = " › ";

export function Hierarchy({ profile }: { readonly profile: ShownProfile }) {
  const [search, setSearch] = useState(query.value.get("find") ?? "");
  const merged = query.value.get("layers") !== "each";
  if (profile.tree === undefined || profile.tree.children.length === 0) {
    return <p class="note">This profile holds nothing that nests.</p>;
  }
  const root = trunk(merged ? mergeNumbered(profile.tree) : profile.tree);
  const path = (query.value.get("at") ?? "").split(BETWEEN).filter((name) => name !== "");
  const { node, steps } = follow(root, path);
  const go = (to: readonly string[]): void => remember("at", to.join(BETWEEN));
  return (
    <>
      <section class="panel" aria-labelledby="hierarchy-title">
        <header>
          <h2 id="hierarchy-title">Hierarchy</h2>
          <Tools search={search} find={setSearch} merged={merged} />
        </header>
        <Crumbs names={[root.name === "" ? "all" : root.name, ...steps]} go={go} />
        <Icicle
          node={node}
          whole={profile.duration}
          search={search}
          open={(to) => go([...steps, ...to])}
        />
      </section>
      <Table
        title={`In ${steps.at(-1) ?? "the whole"}`}
        note={search === "" ? undefined : `those with “${search}”, at any depth`}
        head={["part", "count", "time", "share", "each", "read", "FLOP", "mostly"]}
        rows={rowsOf(node, search).map(({ child, at }) =>
          row(child, node, () => go([...steps, ...at])),
        )}
      />
    </>
  );
}

function Tools(parts: {
  readonly search: string;
  readonly find: (text: string) => void;
  readonly merged: boolean;
}) {
  const { search, find, merged } = parts;
  return (
    <div class="row">
      <input
        type="search"
        class="find"
        aria-label="Find in the hierarchy"
        placeholder="Find: attention"
        value={search}
        onInput={(event) => {
          find(event.currentTarget.value);
          remember("find", event.currentTarget.value);
        }}
      />
      <button
        type="button"
        aria-pressed={merged}
        onClick={() => {
          remember("layers", merged ? "each" : undefined);
          remember("at", undefined);
        }}
      >
        Layers as one
      </button>
    </div>
  );
}

/** The way down to what is shown; the first name is the root, whose path is empty. */
function Crumbs(parts: {
  readonly names: readonly string[];
  readonly go: (to: readonly string[]) => void;
}) {
  const { names, go } = parts;
  return (
    <nav class="crumbs" aria-label="Where in the hierarchy">
      {names.map((name, depth) => (
        <button
          key={depth}
          type="button"
          class="link"
          aria-current={depth === names.length - 1 ? "location" : undefined}
          onClick={() => go(names.slice(1, depth + 1))}
        >
          {name}
        </button>
      ))}
    </nav>
  );
}

/** Without the stem above the first part that has several. */
function trunk(root: SpanNode): SpanNode {
  const [only] = root.children;
  return root.children.length === 1 && only !== undefined && only.children.length > 0 ? only : root;
}

function follow(root: SpanNode, path: readonly string[]): { node: SpanNode; steps: string[] } {
  let node = root;
  const steps: string[] = [];
  for (const name of path) {
    const next = node.children.find((child) => child.name === name);
    if (next === undefined) break;
    node = next;
    steps.push(name);
  }
  return { node, steps };
}

interface Found {
  readonly child: SpanNode;
  readonly at: readonly string[];
}

/** Children, or what below has the words that are looked for. */
function rowsOf(node: SpanNode, search: string): readonly Found[] {
  if (search === "") return node.children.map((child) => ({ child, at: [child.name] }));
  const found: Found[] = [];
  const look = (its: SpanNode, at: readonly string[]): void => {
    for (const child of its.children) {
      const place = [...at, child.name];
      if (child.name.toLowerCase().includes(search.toLowerCase())) found.push({ child, at: place });
      else look(child, place);
    }
  };
  look(node, []);
  return found.sort((a, b) => b.child.nanos - a.child.nanos);
}

function row(child: SpanNode, parent: SpanNode, open: () => void): readonly Cell[] {
  const share = parent.nanos === 0 ? 0 : child.nanos / parent.nanos;
  return [
    child.children.length > 0 ? { text: child.name, act: open } : child.name,
    { text: child.count.toLocaleString("en-US"), value: child.count },
    { text: timeText(child.nanos), value: child.nanos },
    { text: `${digits(100 * share)} %`, value: share, share },
    { text: timeText(child.nanos / child.count), value: child.nanos / child.count },
    { text: child.bytes > 0 ? `${digits(child.bytes / 1e6)} MB` : "–", value: child.bytes },
    { text: child.flops > 0 ? `${digits(child.flops / 1e9)} G` : "–", value: child.flops },
    child.cause,
  ];
}
