/* What the lab does: networks are trained and grown, by hand or after a plan, and a plan is repeated over seeds. All of it
   runs in slices inside animation frames, so a page that is not seen does not train. Net2NetLab.Training is the element
   without its face. */

Net2NetLab.Training ??= (() => {
  const { range } = Net2Net;
  const { make } = Net2NetElement;
  const { EVERY, KINDS, MOST_RUNS, MOST_UNITS, Network, count, percent } = Net2NetLab;

  const HERE = document.currentScript?.src || document.baseURI;
  const FILE = "net2net-digits.js";
  const SLICE = 9;             // milliseconds of training in one frame
  const MOST_POINTS = 480, SEEDS = 5, LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const RATES = [0.005, 0.01, 0.02, 0.05, 0.1];
  const SPEEDS = [["10 updates/s", 10], ["100 updates/s", 100], ["500 updates/s", 500], ["full", Infinity]];

  function fetchScript() {
    return new Promise((come, fail) => {
      const node = make("script", { src: new URL(FILE, HERE) });
      node.addEventListener("load", () => { node.remove(); come(); });
      node.addEventListener("error", () => { node.remove(); fail(new Error("The file with the digits did not come.")); });
      document.head.append(node);
    });
  }

  let coming;  // one set of digits for all labs of a page

  function load() {
    coming ??= (async () => {
      try {
        if (!globalThis.Net2NetDigits) await fetchScript();
        if (!globalThis.Net2NetDigits) throw new Error("The file with the digits is damaged.");
        return await Net2NetLab.unpack(globalThis.Net2NetDigits);
      } catch (error) {
        coming = undefined;
        delete globalThis.Net2NetDigits;
        throw error;
      }
    })();
    return coming;
  }

  class Training extends Net2NetElement {
    runs = [];
    every = EVERY;
    wanted = [];               // growths that were asked for, made one in a frame
    width = 0;                 // of wider students; 0 until the reader says
    chosen = 0;                // which run is looked at and grown

    settle(state) {
      const { units, layers, speed, rate, seed, bill, axis } = state;
      const within = (value, least, most, otherwise) => Math.min(Math.max(Number.isFinite(value) ? value : otherwise, least), most);
      return {
        units: Math.round(within(units, 4, 16, 8)),
        layers: Math.round(within(layers, 1, 2, 1)),
        seed: Math.round(within(seed, 0, 1e9, 0)),
        rate: within(rate, RATES[0], RATES.at(-1), 0.02),
        speed: Math.round(within(speed, 0, SPEEDS.length - 1, 1)),
        bill: Math.round(10 * within(bill, 0, 1, 0)) / 10,
        axis: axis === "work" ? axis : "updates",
        recorded: Array.isArray(state.recorded) ? state.recorded : [],
      };
    }

    tell(message) {
      this.message = message;
      if (this.says) this.announce(message);
    }

    get run() { return this.runs[this.chosen]; }

    get leaves() { return this.runs.filter((run) => !this.runs.some((other) => other.parent === run)); }

    /* The least, the greatest and the chosen width of a network's wider students. All its hidden layers are equally wide. */
    widths({ net }) {
      const n = net.hidden[0], least = n + 1, most = Math.min(MOST_UNITS, 4 * n);
      return { least, most, chosen: Math.min(Math.max(this.width || most, least), most) };
    }

    /* Load the digits if they are not there, and make a teacher if there is none; false if that cannot be. */
    async ready() {
      if (!this.digits) {
        if (this.loading) return false;
        this.loading = true;
        this.tell("Loading the digits …");
        this.render();
        try {
          this.digits = await load();
        } catch (error) {
          this.failed = true;
          this.tell(`${error.message} Nothing is lost; press Try again.`);
        }
        this.loading = false;
        if (!this.digits) {
          this.render();
          return false;
        }
      }
      this.failed = false;
      return this.isConnected;
    }

    /* As `ready`, with a teacher to train, and without what was drawn over seeds. */
    async withTeacher() {
      if (!(await this.ready())) return false;
      this.leaveBand();
      if (!this.runs.length) {
        const { units, layers, seed } = this.state;
        this.add("teacher", Network.teacher(units, layers, seed), range(layers).map(() => range(units)));
        this.inside.pick(Math.max(this.inside.digit, 0));
      }
      return true;
    }

    /* Where training stops by itself. */
    get stop() {
      return this.plan ? this.plan.before + (this.runs.length === 1 ? 0 : this.plan.after) : Infinity;
    }

    async play(words) {
      if (!(await this.withTeacher())) return;
      this.playing = true;
      this.resting = undefined;
      this.until = this.stop;
      this.tell(words ?? `Training ${this.leaves.length === 1 ? "the network" : `${this.leaves.length} networks in turn`}, the furthest behind first.`);
      this.pump();
    }

    /* The accuracies are told when all are measured, so that they are those of the list. */
    pause(words = "Paused.") {
      this.playing = false;
      this.resting = words;
      this.leaves.forEach((run) => this.bringUpToDate(run));
      this.pump();
    }

    rest() {
      const best = this.runs.reduce((a, b) => (b.points.at(-1)[2] > a.points.at(-1)[2] ? b : a));
      this.tell(`${this.resting} Highest validation accuracy: ${best.letter}, ${percent(best.points.at(-1)[2])}.`);
      this.resting = undefined;
    }

    /* Have a network's accuracy measured as it is now, between two points of its curve. */
    bringUpToDate(run) {
      if (!run.check && run.points.at(-1)[0] !== run.net.updates) run.check = Net2NetLab.measured(run.net, this.digits);
    }

    async step() {
      if (!(await this.withTeacher())) return;
      this.until = Math.min(Math.floor(Math.max(...this.leaves.map(({ net }) => net.updates)) / this.every + 1) * this.every, this.stop);
      this.playing = true;
      this.pump();
    }

    async grow(kinds) {
      if (!(await this.withTeacher())) return;
      this.plan = undefined;
      this.until = Infinity;
      const free = MOST_RUNS - this.runs.length - this.wanted.length, width = this.widths(this.run).chosen;
      if (kinds.length > free) this.tell(`There is room for ${MOST_RUNS} networks. Remove one first, or start over.`);
      this.want(kinds.slice(0, free).map((kind) => [kind, width]), this.run);
    }

    want(grow, parent) {
      if (parent === this.runs[0] && this.runs.length === 1) this.taught = this.state.rate;
      this.bringUpToDate(parent);
      this.wanted.push(...grow.map(([kind, width]) => [kind, width, parent]));
      this.pump();
    }

    add(kind, net, origins, parent) {
      const letters = this.runs.map(({ letter }) => letter);
      const letter = [...LETTERS].find((one) => !letters.includes(one));
      this.runs.push({ kind, net, origins, parent, letter, points: [], check: Net2NetLab.measured(net, this.digits) });
      this.render();
      this.pump();
    }

    drop(run) {
      const left = this.runs.indexOf(run);
      this.runs.splice(left, 1);
      this.plan = undefined;
      this.wanted = this.wanted.filter(([, , parent]) => parent !== run);
      this.chosen = Math.max(0, this.chosen - (this.chosen >= left ? 1 : 0));
      const again = this.leaves.includes(run.parent) ? ` ${run.parent.letter} is trained again.` : "";
      this.tell(`${run.letter} is removed.${again}`);
      this.render();
      this.rows[this.chosen].input.focus();
    }

    restart() {
      this.clear();
      super.restart();
      this.tell(this.digits ? "Started over. Press Train for a new teacher." : undefined);
      this.announce(this.describe());
    }

    clear() {
      this.leaveBand();
      this.playing = false;
      this.runs = [];
      this.wanted = [];
      this.chosen = 0;
      this.width = 0;
      this.every = EVERY;
      this.plan = undefined;
      this.resting = undefined;
    }

    /* Begin again with other settings and a plan. */
    prepare(state, plan) {
      this.clear();
      this.set({ ...state, rate: plan.rate }, { byHand: true });
      this.plan = plan;
    }

    preset({ name, state, plan }) {
      this.prepare({ ...state, speed: SPEEDS.length - 1 }, plan);
      this.play(`${name}. A teacher of ${state.units} units learns for ${count(plan.before)} updates; then both make ${count(plan.after)}.`);
    }

    // -------------------------------------------------------------- a run as a plan, and over seeds

    /* What was done, so that it can be repeated: the teacher, what was made of it, and their training. Before anything was
       done, that which is about to be, or the recorded run. */
    get done() {
      const [first, ...others] = this.runs, { rate } = this.state;
      if (!first) {
        const [taught, ...students] = this.state.recorded, before = taught?.points.at(-1)[0] ?? 0;
        const grow = students.map(({ kind, sizes }) => [kind, Math.max(sizes[1], 4 * this.state.units)]);
        return this.plan ?? { before, grow, rate, later: rate, after: (students[0]?.points.at(-1)[0] ?? 0) - before };
      }
      const made = others.filter(({ parent }) => parent === first), before = first.net.updates;
      const grow = made.map(({ kind, net }) => [kind, net.hidden[0]]);
      return { before, grow, rate: made.length ? this.taught : rate, later: rate, after: Math.max(before, ...made.map(({ net }) => net.updates)) - before };
    }

    async repeat() {
      if (this.trial || this.band) return this.leaveBand(this.trial ? "Stopped." : "Back to one seed.");
      if (!(await this.ready())) return;
      const { state, done: plan } = this;
      if (this.playing) this.pause();
      this.resting = undefined;
      this.trial = { state, plan, tries: [] };
      this.nextSeed();
      this.pump();
    }

    nextSeed() {
      const { trial } = this, { state, plan, tries } = trial;
      Object.assign(trial, { made: 0, pieces: Net2NetLab.tried(this.digits, state, plan, state.seed + tries.length) });
      this.tell(`The same run with ${SEEDS} seeds: seed ${tries.length + 1} of ${SEEDS} …`);
    }

    /* One piece of the run over seeds. */
    tryOn({ trial } = this) {
      const { done, value } = trial.pieces.next(), { before, after, grow } = trial.plan;
      trial.made += 1 / (before + grow.length * after || 1);
      if (!done) return true;
      trial.tries.push(value);
      if (trial.tries.length < SEEDS) {
        this.nextSeed();
        return true;
      }
      this.tries = trial.tries;
      this.band = Net2NetLab.band(this.tries).map((run, i) => ({ ...run, letter: LETTERS[i] }));
      this.trial = undefined;
      this.tell(`${SEEDS} seeds: lines are medians, bands go from the lowest to the highest.${this.verdict()}`);
      return false;
    }

    /* In how many of the seeds the grown network is ahead at the end. */
    verdict() {
      const pair = Net2NetLab.rivals(this.band, this.marked);
      if (!pair) return "";
      const { axis, bill } = this.state;
      const ahead = this.tries.filter((runs) => {
        const curves = Net2NetLab.placed(runs, axis === "work" ? 1 : 0, bill);
        return Net2NetLab.compared(...pair.map((i) => curves[i]))?.lead > 0;
      });
      return ` At the end ${this.band[pair[0]].letter} is ahead of ${this.band[pair[1]].letter}, from scratch, with ${ahead.length} of ${SEEDS} seeds.`;
    }

    leaveBand(words) {
      this.band = undefined;
      this.trial = undefined;
      if (!words) return;
      this.tell(words);
      this.pump();
    }

    // -------------------------------------------------------------- training in slices

    pump() {
      this.render();
      if (this.frame || !this.isConnected) return;
      this.clock = undefined;
      this.frame = requestAnimationFrame((now) => this.slice(now));
    }

    slice(now) {
      this.frame = undefined;
      const end = performance.now() + SLICE, speed = SPEEDS[this.state.speed][1];
      // The speed is that of each network; what a slow frame leaves undone is made up for in the next, but not for long.
      const many = this.leaves.length, made = (many * speed * (now - (this.clock ?? now))) / 1000;
      this.credit = speed === Infinity ? Infinity : Math.min((this.credit || 0) + (made || 0), many * (1 + speed / 10));
      this.clock = now;
      while (performance.now() < end && this.work(end));
      if (now - (this.drawn ?? 0) > 90 || !this.playing) {
        this.drawn = now;
        this.render();
      }
      if (this.playing || this.resting || this.trial || this.wanted.length || this.runs.some((run) => run.check))
        this.frame = requestAnimationFrame((next) => this.slice(next));
    }

    /* One small piece of work; false if there is nothing left to do in this frame. */
    work(end) {
      const checking = this.runs.find((run) => run.check);
      if (checking) return this.evaluate(checking);
      if (this.resting) this.rest();
      if (this.trial) return this.tryOn();
      if (this.wanted.length) {
        const [kind, width, parent] = this.wanted.shift();
        this.add(kind, ...parent.net.grow(kind, width, parent.origins), parent);
        return false;
      }
      if (!this.playing) return false;
      const run = this.leaves.reduce((least, other) => (other.net.updates < least.net.updates ? other : least));
      if (run.net.updates >= this.until) return this.arrive();
      const begun = run.net.updates;
      do {
        if (this.credit < 1) break;
        this.credit -= 1;
        run.net.update(this.digits, this.state.rate);
      } while (run.net.updates % this.every && performance.now() < end);
      const made = run.net.updates > begun;
      if (made && run.net.updates % this.every === 0) run.check = Net2NetLab.measured(run.net, this.digits);
      return made;
    }

    /* All are where training was to stop: a plan's teacher is grown now, or it is time to rest. */
    arrive() {
      const { plan } = this;
      if (plan && this.runs.length === 1 && plan.grow.length && this.until === plan.before) {
        this.want(plan.grow, this.runs[0]);
        this.set({ rate: plan.later }, { byHand: true });
        this.until = plan.before + plan.after;
        return true;
      }
      if (this.until === this.stop) this.plan = undefined;
      this.pause(this.runs.length > 1 ? `All are at ${count(this.until)} updates, the teacher’s included.` : `The teacher has made ${count(this.until)} updates.`);
      return true;
    }

    evaluate(run) {
      const { done, value } = run.check.next();
      if (!done) return true;
      run.check = undefined;
      const first = !run.points.length;
      run.points.push([run.net.updates, run.net.work, value]);
      if (first && run.parent) this.welcome(run, value);
      if (run.points.length > MOST_POINTS) this.thin();
      return true;
    }

    welcome({ kind, letter, net, parent }, accuracy) {
      const was = parent.points.at(-1)[2], same = accuracy === was;
      const start = KINDS[kind].kept && same ? `It starts at ${percent(accuracy)}, exactly where ${parent.letter} is`
        : `It starts at ${percent(accuracy)}; ${parent.letter} is at ${percent(was)}`;
      this.tell(`${letter} is made from ${parent.letter}: ${KINDS[kind].name}, ${net.sizes.join("-")}. ${start}.${this.playing ? "" : " Press Train."}`);
    }

    /* Half as many points in every curve, twice as many updates between them. */
    thin() {
      this.every *= 2;
      for (const run of this.runs) run.points = run.points.filter((_, i, all) => i % 2 === 0 || i === all.length - 1);
    }

    connectedCallback() {
      super.connectedCallback();
      this.seen = () => {
        if (document.hidden) this.hid = this.playing;
        else if (this.hid && this.playing) this.tell("The page was hidden, and training stood still. It goes on.");
      };
      document.addEventListener("visibilitychange", this.seen);
      if (this.runs.length || this.trial) this.pump();
    }

    disconnectedCallback() {
      document.removeEventListener("visibilitychange", this.seen);
      cancelAnimationFrame(this.frame);
      this.frame = undefined;
      if (this.playing) this.pause("Paused, because the lab left the page.");
      super.disconnectedCallback();
    }
  }

  return Object.assign(Training, { LETTERS, RATES, SEEDS, SPEEDS });
})();
