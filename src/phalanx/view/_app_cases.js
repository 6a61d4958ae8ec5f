// The table of cases: sorted by any column, searched, only the rows in view are there.

const ROW = 34;

class CaseTable {
  constructor(root, facts, told) {
    this.facts = facts;
    this.told = told;
    this.head = root.querySelector(".cases-head");
    this.body = root.querySelector(".cases-body");
    this.search = root.querySelector(".cases-search");
    this.count = root.querySelector(".cases-count");
    this.names = shortNames(facts.cases);
    this.order = facts.cases.map((_, place) => place);
    this.search.addEventListener("input", () => this.sort());
    this.search.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape" || event.key === "Enter") this.search.blur();
    });
    this.body.addEventListener("scroll", () => this.rows());
    this.body.addEventListener("click", (event) => this.click(event));
    this.head.addEventListener("click", (event) => {
      const key = event.target.closest("button")?.dataset.key;
      if (key) this.by(key);
    });
    this.observer = new ResizeObserver(() => this.rows());
    this.observer.observe(this.body);
  }

  // Scores of the classes that are shown, for members a and b; then sort.
  score({ classes, a, b, picked, colours }) {
    const { facts } = this;
    this.colours = colours;
    this.picked = picked;
    const mean = (values) => {
      const known = values.filter((value) => value !== undefined);
      return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : undefined;
    };
    const judged = facts.truth !== null;
    const several = facts.members.length > 1;
    this.values = facts.cases.map((_, c) => {
      const dice = judged ? classes.map((k) => facts.dice(a, c, k)) : [];
      const apart = several ? classes.map((k) => facts.apart(c, k)) : [];
      // What a case is judged by: its Dice, or without labels how far the members are apart.
      const goodness = judged ? dice : apart.map((value) => (value === undefined ? undefined : 1 - value));
      let worst;
      goodness.forEach((value, at) => {
        if (value !== undefined && (worst === undefined || value < goodness[worst])) worst = at;
      });
      return {
        a: mean(dice),
        b: judged && b !== undefined ? mean(classes.map((k) => facts.dice(b, c, k))) : undefined,
        worst: worst === undefined ? undefined : goodness[worst],
        label: worst === undefined ? undefined : classes[worst],
        apart: mean(apart),
      };
    });
    const part = classes.length === facts.classes.length ? "all classes" : `${classes.length} of ${facts.classes.length} classes`;
    const one = classes.length === 1 ? facts.classes[classes[0]] : part;
    this.columns = [
      { key: "picked", name: "★", title: "picked cases" },
      { key: "case", name: "case", title: "the image" },
      ...(judged ? [{ key: "a", name: "Dice A", title: `mean Dice of A with the truth, ${one}` }] : []),
      ...(judged && b !== undefined ? [{ key: "b", name: "Dice B", title: `mean Dice of B with the truth, ${one}` }] : []),
      ...(judged || several ? [{ key: "worst", name: "worst", title: judged ? "the class with the lowest Dice of A" : "the class on which the files are furthest apart" }] : []),
      ...(several ? [{ key: "apart", name: "differ", title: `1 less the mean Dice of all pairs of files, ${one}` }] : []),
    ];
    this.sorted ??= { key: judged ? "a" : several ? "apart" : "case", down: !judged && several };
    if (!this.columns.some(({ key }) => key === this.sorted.key)) this.sorted = { key: this.columns.at(judged || several ? 2 : 1).key, down: false };
    this.sort();
  }

  by(key) {
    const { sorted } = this;
    // What is worth a look comes first: low Dice, high disagreement, picked cases.
    this.sorted = { key, down: sorted.key === key ? !sorted.down : key === "apart" || key === "picked" };
    this.sort();
    this.body.scrollTop = 0;
  }

  sort() {
    const { facts, values, picked } = this;
    const { key, down } = this.sorted;
    const words = this.search.value.trim().toLowerCase();
    const of = (place) => (key === "case" ? place : key === "picked" ? Number(picked.has(place)) : values[place][key]);
    this.order = facts.cases.map((_, place) => place).filter((place) => facts.cases[place].toLowerCase().includes(words));
    this.order.sort((first, second) => {
      const [one, two] = [of(first), of(second)];
      if (one === undefined || two === undefined) return (one === undefined) - (two === undefined) || first - second;
      return (down ? two - one : one - two) || first - second;
    });
    const largest = (name, invert) => Math.max(1e-9, ...values.map((row) => (row[name] === undefined ? 0 : invert ? 1 - row[name] : row[name])));
    this.largest = { a: largest("a", true), b: largest("b", true), worst: largest("worst", true), apart: largest("apart") };
    this.heading();
    this.rows();
  }

  heading() {
    const { key, down } = this.sorted;
    this.head.replaceChildren(...this.columns.map((column) => {
      const button = document.createElement("button");
      button.dataset.key = column.key;
      button.className = `cell ${column.key}`;
      button.title = `Sort by ${column.title}`;
      button.textContent = column.name;
      if (key === column.key) button.dataset.sorted = down ? "down" : "up";
      return button;
    }));
    const { length } = this.order;
    this.count.textContent = length === this.facts.cases.length ? `${length} cases` : `${length} of ${this.facts.cases.length} cases`;
  }

  rows() {
    const { body, order } = this;
    if (!this.columns) return;
    const first = Math.max(0, Math.floor(body.scrollTop / ROW) - 6);
    const end = Math.min(order.length, Math.ceil((body.scrollTop + body.clientHeight) / ROW) + 6);
    const sheet = document.createElement("div");
    sheet.className = "sheet";
    sheet.style.height = `${order.length * ROW}px`;
    for (let rank = first; rank < end; rank++) sheet.append(this.row(order[rank], rank));
    if (!order.length) sheet.textContent = "No case has this in its name.";
    body.replaceChildren(sheet);
  }

  row(place, rank) {
    const { facts, values, picked, colours } = this;
    const row = document.createElement("div");
    row.className = place === this.shown ? "row shown" : "row";
    row.style.top = `${rank * ROW}px`;
    row.dataset.place = place;
    for (const { key } of this.columns) {
      const cell = document.createElement("span");
      cell.className = `cell ${key}`;
      if (key === "picked") {
        cell.innerHTML = `<button class="star" aria-label="pick" aria-pressed="${picked.has(place)}"></button>`;
      } else if (key === "case") {
        cell.textContent = this.names[place];
        cell.title = facts.cases[place];
      } else {
        this.number(cell, key, values[place]);
        if (key === "worst" && values[place].label !== undefined) {
          const dot = document.createElement("i");
          dot.style.background = colours[values[place].label];
          cell.prepend(dot);
          cell.title = facts.classes[values[place].label];
        }
      }
      row.append(cell);
    }
    return row;
  }

  number(cell, key, values) {
    const value = values[key];
    cell.append(written(value));
    if (value === undefined) return;
    const bar = document.createElement("b");
    bar.style.width = `${(100 * (key === "apart" ? value : 1 - value)) / this.largest[key]}%`;
    cell.append(bar);
  }

  click(event) {
    const row = event.target.closest(".row");
    if (!row) return;
    const place = Number(row.dataset.place);
    if (event.target.closest(".star")) this.told.pick(place);
    else this.told.open(place);
  }

  // The case a step further in the table's order.
  neighbour(step) {
    const { order } = this;
    if (!order.length) return undefined;
    const rank = order.indexOf(this.shown);
    return rank < 0 ? order[0] : order[(rank + step + order.length) % order.length];
  }

  mark(place) {
    this.shown = place;
    const rank = this.order.indexOf(place);
    const { body } = this;
    if (rank >= 0) {
      const top = rank * ROW;
      if (top < body.scrollTop) body.scrollTop = top;
      else if (top + ROW > body.scrollTop + body.clientHeight) body.scrollTop = top + ROW - body.clientHeight;
    }
    this.rows();
  }

  get rank() {
    return this.order.indexOf(this.shown);
  }

  close() {
    this.observer.disconnect();
  }
}

// What tells names apart: without the beginning and the suffix that all of them share.
function shortNames(names) {
  const shared = (texts) => {
    const [first] = texts;
    let length = texts.length > 1 ? first.length : 0;
    for (const text of texts) while (!text.startsWith(first.slice(0, length))) length--;
    return length;
  };
  const start = Math.max(0, shared(names) - 1);
  const suffix = /\.[a-z.]+$/i.exec(names[0])?.[0] || "";
  const end = names.every((name) => name.endsWith(suffix)) ? suffix.length : 0;
  return names.map((name) => (start > 3 ? "…" : "") + name.slice(start > 3 ? start : 0, name.length - end));
}
