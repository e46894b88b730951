"use strict";
// The address of a file need not say what is zoomed or searched.
history.replaceState = function () {};
// Ctrl-F finds in the page, as everywhere: the flame graph's own script, which comes later, does not get it.
window.addEventListener("keydown", function (event) {
    if (event.key === "F3" || (event.ctrlKey && event.key === "f")) event.stopImmediatePropagation();
}, true);
document.addEventListener("DOMContentLoaded", function () {
    var query = document.getElementById("query");
    query.addEventListener("input", function () {
        var word = query.value.toLowerCase(), shown = 0, rows = document.querySelectorAll("tbody tr");
        rows.forEach(function (row) {
            row.hidden = !row.textContent.toLowerCase().includes(word);
            shown += row.hidden ? 0 : 1;
        });
        var found = word ? shown + " of " + rows.length + " parts" : "";
        // The functions below are the flame graph's. There are none where nothing grew.
        if (typeof search === "function") {
            reset_search();
            searching = 0;
            matchedtxt.classList.add("hide");
            // Its words are regular expressions; those of people are not.
            var letters = query.value.replace(/[^A-Za-z0-9_]/g, "\\$&").replace(/[A-Za-z]/g, function (letter) {
                return "[" + letter.toLowerCase() + letter.toUpperCase() + "]";
            });
            if (word) search(letters);
            if (word) found += searching ? "; in the graph: " + matchedtxt.textContent : "; not in the graph";
        }
        document.getElementById("found").textContent = found;
    });
});
