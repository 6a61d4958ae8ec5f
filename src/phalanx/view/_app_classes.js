// The legend: every class with its colour and its scores of the case, shown or hidden, alone, or sought in the picture.

class ClassList {
  constructor(root, facts, told) {
    this.facts = facts;
    this.told = told;
    this.list = root.querySelector(".classes-body");
    this.head = root.querySelector(".classes-head");
    this.rows = facts.classes.map((name, label) => this.row(name, label));
    this.list.append(...this.rows);
    root.querySelector(".classes-all").addEventListener("click", () => told.classes(new Set()));
    root.querySelector(".classes-none").addEventListener("click", () => told.classes(new Set(facts.classes.keys())));
    this.head.addEventListener("click", (event) => {
      const key = event.target.closest("button")?.dataset.key;
      if (!key) return;
      this.sorted = key;
      this.arrange();
    });
    this.sorted = "name";
  }

  row(name, label) {
    const row = document.createElement("div");
    row.className = "class";
    row.dataset.label = label;
    row.innerHTML =
      '<button class="switch" aria-pressed="true"><i></i><span class="name"></span></button>' +
      '<span class="score a"></span><span class="score b"></span>' +
      '<button class="solo" title="Show this class alone (click again: all)">solo</button>' +
      '<button class="seek" title="Go to it in the picture" aria-label="go to it"></button>';
    row.querySelector("i").style.background = this.facts.colours[label];
    row.querySelector(".name").textContent = name;
    const button = row.querySelector(".switch");
    button.title = `${name}: click shows or hides it, a double click shows it alone`;
    button.addEventListener("click", () => this.told.toggle(label));
    button.addEventListener("dblclick", () => this.told.solo(label));
    row.querySelector(".solo").addEventListener("click", () => this.told.solo(label));
    row.querySelector(".seek").addEventListener("click", () => this.told.seek(label));
    row.addEventListener("pointerenter", () => this.told.light(label));
    row.addEventListener("pointerleave", () => this.told.light(undefined));
    return row;
  }

  show({ place, masks, a, b, truth, hidden, light }) {
    const { facts } = this;
    const judged = facts.truth !== null;
    this.scores = facts.classes.map((_, k) => {
      if (judged) return [facts.dice(a, place, k), b === undefined ? undefined : facts.dice(b, place, k)];
      return [facts.members.length > 1 ? facts.apart(place, k) : undefined, undefined];
    });
    const headings = judged ? ["A", b === undefined ? "" : "B"] : [facts.members.length > 1 ? "differ" : "", ""];
    this.head.querySelector("[data-key=a]").textContent = headings[0];
    this.head.querySelector("[data-key=b]").textContent = headings[1];
    this.list.classList.toggle("single", !headings[1]);
    this.head.classList.toggle("single", !headings[1]);
    const worst = Math.max(1e-9, ...this.scores.flat().map((score) => (score === undefined ? 0 : judged ? 1 - score : score)));
    this.rows.forEach((row, label) => {
      row.classList.toggle("off", hidden.has(label));
      row.classList.toggle("light", light === label);
      row.querySelector(".switch").setAttribute("aria-pressed", String(!hidden.has(label)));
      ["a", "b"].forEach((key, at) => {
        const cell = row.querySelector(`.score.${key}`);
        const score = this.scores[label][at];
        cell.textContent = headings[at] ? written(score) : "";
        cell.style.setProperty("--bar", score === undefined ? 0 : (judged ? 1 - score : score) / worst);
      });
      const sources = masks ? masks.sources : [];
      const absent = sources.length > 0 && !sources.some((source) => source.masks.has(label));
      row.classList.toggle("absent", absent);
      row.title = this.remark(sources, label, [a, b, truth]);
    });
    this.arrange();
  }

  // What is unusual about a class in this case.
  remark(sources, label, [a, b, truth]) {
    const names = [[a, "A"], [b, "B"], [truth, "the truth"]];
    const said = names.filter(([at]) => at !== undefined && sources[at]).flatMap(([at, name]) => {
      if (sources[at].missing.has(label)) return [`${name} has no row of it`];
      return sources[at].masks.has(label) ? [] : [`${name} has no pixel of it`];
    });
    return said.join(", ");
  }

  arrange() {
    const at = { a: 0, b: 1 }[this.sorted];
    const judged = this.facts.truth !== null;
    const key = (label) => {
      const score = this.scores[label][at];
      return score === undefined ? 2 : judged ? score : -score;
    };
    const order = [...this.facts.classes.keys()];
    if (at !== undefined) order.sort((one, two) => key(one) - key(two) || one - two);
    order.forEach((label, rank) => (this.rows[label].style.order = rank));
    for (const button of this.head.querySelectorAll("[data-key]")) {
      button.toggleAttribute("data-sorted", button.dataset.key === this.sorted);
    }
  }
}

function written(value) {
  return value === undefined ? "–" : value.toFixed(4);
}
