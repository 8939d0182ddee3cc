// The form that asks for the token, where the page is not for this machine only.

const TOKEN = "twinrow-token";
const form = document.getElementById("login");
const trouble = document.getElementById("login-trouble");

/** Ask for the cookie; the token goes in a header, so that it stands in no log of a proxy. */
async function enter(token) {
  trouble.hidden = true;
  let answer;
  try {
    answer = await fetch("api/login", { headers: { Authorization: `Bearer ${token}` } });
  } catch (lost) {
    say(`The sync does not answer: ${lost.message}`);
    return;
  }
  if (!answer.ok) {
    say("That is not the token of the sync that runs.");
    return;
  }
  sessionStorage.setItem(TOKEN, token);
  location.reload();
}

function say(text) {
  trouble.textContent = text;
  trouble.hidden = false;
}

const address = new URL(location.href);
const given = address.searchParams.get("token");
if (given !== null) {
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
  enter(given);
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(document.getElementById("token").value.trim());
});
