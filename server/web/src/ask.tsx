/** A form whose fields stand in the link, and what it asks for is begun in this page. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { query, remember } from "./route.ts";

/** Values of a form by its fields' names. */
type Asked<Ask> = { readonly [Name in keyof Ask]: string };

/** What the link says, and `first` where it says nothing. */
function askedIn<Ask extends Asked<Ask>>(link: URLSearchParams, first: Ask): Ask {
  return Object.fromEntries(
    Object.entries(first).map(([name, value]) => [name, link.get(name) ?? value]),
  ) as unknown as Ask; // the same names as `first`
}

interface Asking<Ask> {
  readonly ask: Ask;
  readonly set: (name: keyof Ask & string, value: string) => void;
  readonly run: () => void;
  /** Why it could not be begun. */
  readonly failure: string | undefined;
}

/** `begin` throws Errors that tell what is wrong; `begun`: it was, in this page. */
export function useAsk<Ask extends Asked<Ask>>(
  first: Ask,
  { begin, begun }: { readonly begin: (ask: Ask) => void; readonly begun: () => boolean },
): Asking<Ask> {
  const [ask, setAsk] = useState(() => askedIn(query.value, first));
  const [failure, setFailure] = useState<string>();
  const run = (): void => {
    setFailure(undefined);
    try {
      begin(ask);
      remember("run", "1");
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  };
  // A link of what was run runs it again: in virtual time it comes out the same.
  useEffect(() => {
    if (query.value.get("run") === "1" && !begun()) run();
  }, []);
  const set = (name: keyof Ask & string, value: string): void => {
    remember(name, value === first[name] ? undefined : value);
    remember("run", undefined);
    setAsk({ ...ask, [name]: value });
  };
  return { ask, set, run, failure };
}

/** Its button, what stands beside that, and why it could not be begun. */
export function AskEnd({
  title,
  failure,
  children,
}: {
  readonly title: string;
  readonly failure: string | undefined;
  readonly children: ComponentChildren;
}) {
  return (
    <>
      <div class="row under">
        <button type="submit" class="primary">
          {title}
        </button>
        {children}
      </div>
      {failure !== undefined && (
        <p class="error" role="alert">
          {failure}
        </p>
      )}
    </>
  );
}
