"use strict";

// The first guess that is opened in a "Predict" box counts. It is kept in this browser, nothing is sent, and the end of
// the chapter says how many were right.
{
  const boxes = [...document.querySelectorAll("article .predict")].map((box) => [...box.querySelectorAll("details")]).filter((guesses) => guesses.length);
  const key = `net2net guesses ${location.pathname}`;
  const named = (guesses, number) => guesses.map((guess) => [guess, `${number} ${guess.firstElementChild.textContent}`]);
  const names = new Map(boxes.flatMap(named)); // two boxes may have the same guesses
  let made = [];
  try {
    made = JSON.parse(localStorage.getItem(key)) ?? [];
  } catch {} // a browser may keep nothing

  const score = document.createElement("p");
  score.className = "guessed";
  score.role = "status";
  document.getElementById("check-yourself")?.before(score);

  const show = () => {
    const first = boxes.map((guesses) => guesses.find((guess) => made.includes(names.get(guess)))).filter(Boolean);
    const right = first.filter((guess) => guess.classList.contains("right")).length;
    score.textContent = first.length ? `You made ${first.length} of this chapter’s ${boxes.length} predictions, and ${right} ${right === 1 ? "was" : "were"} right. ` : "";
  };

  for (const guesses of boxes) {
    for (const guess of guesses) {
      guess.open = made.includes(names.get(guess));
      guess.addEventListener("toggle", () => {
        if (!guess.open || guesses.some((other) => made.includes(names.get(other)))) return;
        made.push(names.get(guess));
        try {
          localStorage.setItem(key, JSON.stringify(made));
        } catch {}
        show();
      });
    }
  }
  show();
}
