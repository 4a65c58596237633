/** A picture as `explain` makes it, and one in which somebody hid what must not get into a page. */

/** Two states, and an end. */
export const PICTURE = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-171 0 342 300" width="342" height="300" role="img">
<title>unpaid_order</title>
<style>text{font:12px Helvetica}</style>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 1 L9 5 L0 9 z" fill="#57606a"/></marker></defs>
<rect x="-171" y="0" width="342" height="300" fill="#fff"/>
<text class="title" x="-151" y="20">unpaid_order</text>
<text class="label" x="-151" y="38">key order_id, within 1h</text>
<path class="arc" d="M0 120 C0 145, 0 145, 0 170" marker-end="url(#tip)"/>
<text class="label" x="8" y="148">take as \`o\`: order_created</text>
<path class="arc dashed" d="M0 208 C0 233, 0 233, 0 258" marker-end="url(#tip)"/>
<text class="label" x="8" y="236">time is over</text>
<ellipse data-state="S0" class="node state" cx="0" cy="93" rx="50" ry="27"/>
<text class="name" x="0" y="89" text-anchor="middle">S0</text>
<text x="0" y="105" text-anchor="middle">the start</text>
<ellipse data-state="S1" class="node state" cx="0" cy="189" rx="26" ry="19"/>
<text class="name" x="0" y="193" text-anchor="middle">S1</text>
<ellipse class="node match" cx="0" cy="277" rx="36" ry="19"/>
<text class="name" x="0" y="281" text-anchor="middle">match</text>
</svg>`;

/** Everything that has to be left out. */
export const HOSTILE = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10" onload="alert(1)">
<script>alert(1)</script><style>body{display:none}</style>
<a href="javascript:alert(1)"><text>link</text></a>
<image href="https://example.invalid/x.png"/><use xlink:href="#x"/>
<foreignObject><div xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="alert(1)"/></div></foreignObject>
<animate attributeName="href" to="javascript:alert(1)"/>
<g class="k-hidden node" style="fill:url(https://example.invalid/)" data-state="&lt;b&gt;" id="a b"><text onclick="alert(1)">kept &lt;script&gt;</text></g>
<path d="M0 0" marker-end="url(https://example.invalid/#tip)" fill="url(https://example.invalid/)"/>
</svg>`;
