// Signing in: the token is sent once, the session is a cookie that no script can read.
const said = document.getElementById("said");
document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "";
  try {
    const token = document.getElementById("token").value.trim();
    const answer = await fetch("/login", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token }),
    });
    if (answer.ok) location.assign("/");
    else said.textContent = String((await answer.json()).detail);
  } catch { said.textContent = "The device does not answer."; }
});
