"use strict";
// Guided experiments. Each sets everything, so that all readers see the same; what `seen` promises is tested
// (tests/site/test_play_challenges.py).
PLAY.challenges = [
  {
    title: "By hand",
    set: { picture: "tutorial", contrast: "same", measure: "ncc", truth: { tx: 9, ty: -6, angle: 15 } },
    text: "Drag the heart until the overlay turns white, and turn it with the third slider. Fine-tune with the arrow keys, then ask for the error.",
    seen: "Blue and orange add up to white where both pictures agree. At the right pose MSE falls to 0, NCC rises to 1, and MI to all that the fixed picture holds.",
  },
  {
    title: "Downhill",
    set: { picture: "tutorial", contrast: "same", measure: "mse", truth: { tx: 9, ty: -6, angle: 15 } },
    text: "The same puzzle. Let it descend by MSE; then reset, choose NCC, and MI.",
    seen: "From here all three arrive, each down the slope of its own landscape. With the same contrast and a near start it hardly matters which you choose.",
  },
  {
    title: "Too far away",
    set: { picture: "tutorial", contrast: "same", measure: "mse", truth: { tx: 22, ty: 10, angle: 10 } },
    text: "The same heart, 24 mm off. Let it descend, by each measure. Where do you end, and what does the map look like?",
    seen: "In a local minimum, more than 10 mm off: the start lies outside the capture range. Programs begin with the centres of mass, blurred pictures or several starts for this reason.",
  },
  {
    title: "Neighbours help",
    set: { picture: "chest", contrast: "same", measure: "mse", truth: { tx: 22, ty: 10, angle: 10 } },
    text: "As far off as before, but with a chest around the heart. Let it descend.",
    seen: "It arrives. Broad structures such as fat and liver overlap from afar; they make the valley wide.",
  },
  {
    title: "Negative",
    set: { picture: "tutorial", contrast: "inverted", measure: "mse", truth: { tx: 4, ty: -3, angle: 8 } },
    text: "Black is white. Follow MSE: where do you end? Reset, and follow MI.",
    seen: "MSE runs away from the answer, where it is worst of all. MI arrives: it does not ask whether values are equal, only whether one tells the other.",
  },
  {
    title: "Another sequence",
    set: { picture: "tutorial", contrast: "other", measure: "ncc", truth: { tx: -14, ty: 8, angle: -25 } },
    text: "Blood is dark, the wall grey, the rest bright. No straight line leads from one set of values to the other. Try NCC, then MI.",
    seen: "NCC wants a straight line through the joint histogram, and there is none. MI ends within a tenth of a millimetre.",
  },
  {
    title: "Uneven coil",
    set: { picture: "chest", contrast: "shaded", measure: "ncc", truth: { tx: 9, ty: -6, angle: 15 } },
    text: "The coil on one side is brighter. Descend by NCC, then by MI, and compare the errors.",
    seen: "NCC ends about 0.4 mm off, MI below 0.1 mm: shading is no motion, but a measure that expects one brightness for each tissue pays for it. Local measures (LNCC) care even less.",
  },
  {
    title: "Stairs",
    set: { picture: "tutorial", contrast: "same", measure: "mse", interpolation: "nearest", along: "tx", truth: { tx: 0, ty: 0, angle: 0 }, pose: { tx: 3, ty: 0, angle: 0 } },
    text: "Nearest interpolation: move the first slider slowly and look at the landscape. Then switch to linear.",
    seen: "The profile is a staircase of one step for each pixel: between steps there is no slope to follow. Linear interpolation makes it a slope.",
  },
];
