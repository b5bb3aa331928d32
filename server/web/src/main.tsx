import { render } from "preact";
import { Frame } from "./frame.tsx";

const place = document.getElementById("app");
if (place !== null) render(<Frame />, place);
