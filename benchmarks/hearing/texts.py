"""Texts of the simulated callers.

Robots: transcripts of `wspr-ncsu/robocall-audio-dataset`, by file name (public domain; Prasad and Reaves, "Robocall
Audio from the FTC's Project Point of No Entry", TR-2023-1). People: invented.
"""

ROBOTS = {
    "1112259": (
        "We would like to inform you that there is an order placed for Apple iPhone 11 Pro using your Amazon "
        "account. If you do not authorize this order, press 1 or press 2 to authorize this order."
    ),
    "936704": (
        "Hello. This call is to inform you that a pre-authorized order has been placed on your name. So to "
        "authorize the order, or to talk to our representative, please press 1 or stay on the line. Thank "
        "you. Goodbye."
    ),
    "807777": (
        "Thank you for choosing Hilton Hotels. We would like to inform you that thanks to the Friends and "
        "Family Rewards program, your membership is drawn to receive a complimentary stay. For further "
        "details, press 1 now."
    ),
    "520125": (
        "On your excellent payment history, you now qualify for a 0% interest rate on all your credit card "
        "accounts. This is a limited time offer and you must respond immediately. Press 1 now to speak to our"
        " qualification department."
    ),
    "598182": (
        "is to inform you that we just suspend your social security number because we found some suspicious "
        "activity. So if you want to know about this case, just press 1. Thank you."
    ),
    "520014": (
        "Greetings, this is an automated message from the Disconnection Department to inform you that you "
        "will be experiencing a disconnection of service today within 30 minutes. Please press 1 to speak to "
        "a representative."
    ),
    "568965": (
        "this is Susie calling with the Vehicle Service Department. We are calling about your vehicle's "
        "manufacturer's warranty. We sent you several notices in the mail that you have yet to extend your "
        "warranty past the factory cutoff."
    ),
    "719755": (
        "The very second you receive this message, you need to leave your work aside so that we can discuss "
        "about your case and take necessary action on this matter in order to connect Investigation Officer, "
        "Press 1."
    ),
    "241125": (
        "This message is intended to contact you, regarding a legal enforcement action executed under your "
        "social security number for suspicious and fraudulent activities committed in the state of Texas."
    ),
    "587263": (
        "Hi, this is Melanie. I'm giving you a call from the dealer service center. We recently noticed your "
        "car's extended warranty would expire and wanted to provide you with one final courtesy call before "
        "your warranty expires."
    ),
    "651815": (
        "AirPods is being ordered from your Amazon account for an amount of $1,537.35. To cancel your order "
        "or to connect with one of our customer support representatives, please press 1."
    ),
    "482002": (
        "suspicious, and fraudulent activities carried out using your identities. The court has issued a "
        "suspension notice, along with a warrant against your name. Ignoring this message would be an "
        "intentional second attempt."
    ),
    "525133": (
        "Department of Social Security Administration. The reason you receive this phone call from our "
        "department is to inform you that there is a legal enforcement action filed on your social security "
        "number."
    ),
    "1211775": (
        "Hello, this call is from Amazon. We have gone through your account, and we found that your Amazon "
        "account has been used for shopping purpose, as we can see multiple orders placed from your Amazon "
        "account."
    ),
    "447375": (
        "Hi, my name is Jason, calling you from Energy Advocates. How are you today? What I would like to do "
        "is tell you a little about the solar program. The benefits, tax rebates, and grants from the "
        "government."
    ),
    "497288": (
        "Hi, this is the alert system with account services with important changes to your account before the"
        " next billing cycle. Congratulations on your excellent payment history."
    ),
    "188142": (
        "This message is provided by the Administration of Energy Saving. The state has now set aside $1.3 "
        "billion. Your home is eligible for up to $10,000 to use for clean energy upgrades."
    ),
    "453389": (
        "This call is from U.S. Customs and Border Protection. The reason of this call is to inform you about"
        " a package has been seized under your name by U.S. Customs and Border Protection with contraband of "
        "drugs and cash."
    ),
    "547592": (
        "How are you doing today? Glad to hear that. Well, DirecTV is offering 50% discount to all of its "
        "existing customers. Do you have a moment to speak so I can go ahead and apply the discounts on your "
        "account?"
    ),
    "711071": (
        "Thank you for connecting. I am the virtual assistant for Margaret Smith with Central Processing "
        "Center for Federal Back Tax Negotiations. The purpose of her call was to make you aware that the "
        "government settles old tax debts."
    ),
}

PEOPLE = (
    "Hi, this is Tom Baker. I am calling about your delivery on Friday.",
    "This is Doctor Miller's office. I need to move the appointment to Monday.",
    "Hello, it is your mother. Please call me back.",
    "My name is Susan Clark, and I would like to speak to Peter about an invoice.",
    "It is the school. Your son is not feeling well.",
    "Good morning, this is Anna from the library. The book that you ordered is here.",
    "This is the plumber. I am standing in front of your house.",
    "I am calling for the manager, about the meeting tomorrow.",
    "Hello, I found your wallet in the park.",
    "This is John Reed from the insurance company, about the damage to your car.",
    "Hi, I saw your advertisement for the bicycle. Is it still for sale?",
    "This is the pharmacy. Your medicine is ready.",
    "It is Maria, from next door. You left the light on in the garage.",
    "We spoke last week about the new windows. I have the offer for you.",
    "This is the relay service, with a call from a deaf person.",
    "I want to book a table for four people on Saturday evening.",
    "This is Officer Jones of the city police. Please call me back about the accident.",
    "I have a question about my bill. My name is Robert King.",
    "Hello, this is the hotel. You have left your glasses in the room.",
    "Hi, it is Ben. I am late, start without me.",
)
