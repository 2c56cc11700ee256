// Makes the drawing of a person follow the slider, and lets one choose joins in the drawing. The page works without it.

const slider = document.getElementById("joins");
const drawing = document.querySelector(".drawing");

function showTime() {
  const number = Number(slider.value);
  for (const element of drawing.querySelectorAll("[data-since]")) {
    element.toggleAttribute("data-later", Number(element.dataset.since) > number);
  }
  const times = document.getElementById("join-times")?.options;
  const text = times?.[number].label ?? `join ${number} of ${slider.max}`;
  document.getElementById("joins-time").textContent = text;
  slider.setAttribute("aria-valuetext", text);
}

// A click on the dot of a join chooses it in the list, and the dots always show what is chosen there.
function chooseJoin(event) {
  const join = event.target.closest("[data-join]");
  const box = join && document.getElementById(join.dataset.join);
  if (!box || box.disabled || box.type !== "checkbox") return;
  box.checked = !box.checked;
  showChosen();
}

function showChosen() {
  for (const join of drawing.querySelectorAll("[data-join]")) {
    join.toggleAttribute("data-chosen", document.getElementById(join.dataset.join)?.checked === true);
  }
}

if (slider !== null && drawing !== null) {
  document.querySelector("[data-without-script]").remove();
  slider.addEventListener("input", showTime);
  drawing.addEventListener("click", chooseJoin);
  document.querySelector("form.joins").addEventListener("change", showChosen);
  showTime();
  showChosen();
}
