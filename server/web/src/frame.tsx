/** What stands around every page: the rail, the theme, the key. */
import type { FunctionComponent } from "preact";
import { apiKey, keyAsked } from "./api.ts";
import { Boundary } from "./boundary.tsx";
import { Home } from "./home/home.tsx";
import { Icon } from "./icons.tsx";
import { lazy } from "./lazy.tsx";
import mark from "./mark.svg";
import { page } from "./route.ts";
import { saved } from "./saved.ts";
import { SavedNote } from "./saved-note.tsx";
import { theme, turnTheme } from "./theme.ts";

interface Page {
  readonly title: string;
  readonly view: FunctionComponent;
  /** Shows a server: not there in a saved page. */
  readonly served?: true;
}

/** One line a page. */
const PAGES: Readonly<Record<string, Page>> = {
  home: { title: "Home", view: Home, served: true },
  curves: {
    title: "Curves",
    view: lazy(async () => (await import("./curves/curves.tsx")).Curves),
  },
  plan: {
    title: "Plan",
    view: lazy(async () => (await import("./plan/plan.tsx")).Plan),
  },
  live: {
    title: "Live",
    served: true,
    view: lazy(async () => (await import("./live/live.tsx")).Live),
  },
  requests: {
    title: "Requests",
    served: true,
    view: lazy(async () => (await import("./requests/requests.tsx")).Requests),
  },
  explorer: {
    title: "Explorer",
    view: lazy(async () => (await import("./explorer/explorer.tsx")).Explorer),
  },
};

const SHOWN = Object.entries(PAGES).filter(
  ([, { served }]) => saved === undefined || served !== true,
);

export function Frame() {
  const its = Object.hasOwn(PAGES, page.value) ? PAGES[page.value] : undefined;
  const { view: View, title } = its ?? { view: Missing, title: "Not found" };
  document.title = `${title} · Trainyard`;
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <nav class="rail" aria-label="Pages">
        <a class="brand" href={saved?.link ?? "#/home"} aria-label="Trainyard, home">
          <img src={mark} alt="" />
          <span>Trainyard</span>
        </a>
        {SHOWN.map(([name, { title }]) => (
          <a
            key={name}
            class="page"
            href={`#/${name}`}
            aria-current={page.value === name ? "page" : undefined}
          >
            <Icon name={name} />
            {title}
          </a>
        ))}
        {saved === undefined && (
          <a class="page" href="./docs">
            <Icon name="docs" />
            API
          </a>
        )}
        <div class="foot">
          <button type="button" onClick={turnTheme}>
            {theme.value === "dark" ? "Light" : "Dark"}
          </button>
        </div>
      </nav>
      <main id="main">
        <div class="inner">
          {keyAsked.value && <KeyForm />}
          <Boundary key={page.value}>
            <View />
          </Boundary>
          {saved !== undefined && <SavedNote {...saved} />}
        </div>
      </main>
    </div>
  );
}

function KeyForm() {
  return (
    <form
      class="panel row"
      onSubmit={(event) => {
        event.preventDefault();
        apiKey.value = String(new FormData(event.currentTarget).get("key") ?? "");
        keyAsked.value = false;
      }}
    >
      <label>
        This server asks for an API key. It stays in this tab.
        <input name="key" type="password" autocomplete="off" />
      </label>
      <button type="submit" class="primary">
        Use it
      </button>
    </form>
  );
}

function Missing() {
  return (
    <>
      <h1>No such page</h1>
      <p class="lead">
        There is no page “{page.value}”. <a href="#/home">Home</a>
      </p>
    </>
  );
}
