"""The sentence that the checkpoints of a run speak when the person names none: the same for all runs of a language."""

from __future__ import annotations

DEFAULT_PROMPTS: dict[str, str] = {
    "en": "The morning train was late again, so we walked along the river instead.",
    "es": "El tren de la mañana volvió a llegar tarde, así que caminamos junto al río.",
    "fr": "Le train du matin était encore en retard, alors nous avons marché le long de la rivière.",
    "de": "Der Zug am Morgen kam wieder zu spät, deshalb gingen wir zu Fuß am Fluss entlang.",
    "it": "Il treno del mattino era di nuovo in ritardo, così abbiamo camminato lungo il fiume.",
    "pt": "O trem da manhã atrasou outra vez, por isso fomos a pé pela margem do rio.",
    "pl": "Poranny pociąg znowu się spóźnił, więc poszliśmy pieszo wzdłuż rzeki.",
    "tr": "Sabah treni yine geç kaldı, biz de nehir boyunca yürüdük.",
    "ru": "Утренний поезд снова опоздал, и мы пошли пешком вдоль реки.",
    "nl": "De ochtendtrein was weer te laat, dus liepen we langs de rivier.",
    "cs": "Ranní vlak měl zase zpoždění, a tak jsme šli pěšky podél řeky.",
    "ar": "تأخر قطار الصباح مرة أخرى، فمشينا على طول النهر.",
    "zh-cn": "早上的火车又晚点了，于是我们沿着河边走。",
    "hu": "A reggeli vonat megint késett, ezért inkább gyalog mentünk a folyó mentén.",
    "ko": "아침 기차가 또 늦어서 우리는 강을 따라 걸었습니다.",
    "ja": "朝の電車がまた遅れたので、私たちは川沿いを歩きました。",
    "hi": "सुबह की गाड़ी फिर देर से आई, इसलिए हम नदी के किनारे पैदल चले।",
}
